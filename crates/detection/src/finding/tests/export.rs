//! Findings in the formats of others.

use serde_json::{Value, json};

use super::*;
use crate::incoming::Answerable;

fn controls() -> Vec<String> {
    vec!["S3.2".to_owned(), "Policy:S3/BucketAnonymousAccessGranted".to_owned()]
}

fn before() -> Value {
    json!({"PublicAccessBlockConfiguration": null})
}

/// A finding that was noticed and found wrong, and somebody was told.
fn told() -> Life {
    let mut life = Life::begin(Mode::Alert);
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "record", "Compliance": "NON_COMPLIANT", "Reason": "its ACL lets anybody read"}));
    life.say(json!({"Action": "decide", "Owner": [{"Email": "team@example.com", "From": "tag Owner", "Confidence": "high"}]}));
    life.say(json!({"Action": "told", "Kind": "noticed", "Results": [{"Channel": "team", "Ok": true}]}));
    life.say(json!({"Action": "close", "Generation": 1, "Compliance": "NON_COMPLIANT", "Reason": "its ACL lets anybody read"}));
    life
}

fn fixed() -> Life {
    let mut life = Life::begin(Mode::Fix);
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "record", "Compliance": "NON_COMPLIANT", "Reason": "its ACL lets anybody read"}));
    life.say(json!({"Action": "decide", "Owner": []}));
    life.say(json!({"Action": "keep_before", "Before": before()}));
    life.say(json!({"Action": "fixing"}));
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "close", "Generation": 1, "Compliance": "COMPLIANT", "Reason": "nobody else gets in"}));
    life
}

/// Resolved, since it is gone.
fn gone() -> Life {
    let mut life = told();
    assert!(life.see("event-2"));
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "record", "Compliance": "NOT_APPLICABLE", "Reason": "the bucket is gone"}));
    life.say(
        json!({"Action": "close", "Generation": 2, "Compliance": "NOT_APPLICABLE", "Reason": "the bucket is gone"}),
    );
    life
}

fn failed() -> Life {
    let mut life = Life::begin(Mode::Fix);
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "failed", "Error": "S3.S3Exception", "Cause": "AccessDenied", "At": "Inspect"}));
    life
}

#[test]
fn asff() {
    insta::assert_snapshot!(format!("{:#}", told().finding.asff(&controls())));
    // (life, compliance, workflow, record)
    for (life, compliance, workflow, record) in [
        (Life::begin(Mode::Fix), "NOT_AVAILABLE", "NEW", "ACTIVE"),
        (told(), "FAILED", "NOTIFIED", "ACTIVE"),
        (fixed(), "PASSED", "RESOLVED", "ACTIVE"),
        (gone(), "NOT_AVAILABLE", "RESOLVED", "ARCHIVED"),
        (failed(), "WARNING", "NEW", "ACTIVE"),
    ] {
        let asff = life.finding.asff(&[]);
        let found = [&asff["Compliance"]["Status"], &asff["Workflow"]["Status"], &asff["RecordState"]];
        assert_eq!(found, [compliance, workflow, record], "{asff:#}");
        assert_eq!(asff["Compliance"].get("RelatedRequirements"), None);
    }
}

#[test]
fn ocsf() {
    insta::assert_snapshot!(
        format!("{:#}", fixed().finding.ocsf(&controls())).replace(env!("CARGO_PKG_VERSION"), "[version]")
    );
    // (life, activity, status)
    for (life, activity, status) in
        [(Life::begin(Mode::Fix), 1, 1), (told(), 2, 2), (fixed(), 3, 4), (gone(), 3, 4), (failed(), 2, 1)]
    {
        let ocsf = life.finding.ocsf(&[]);
        let found = [&ocsf["activity_id"], &ocsf["type_uid"], &ocsf["status_id"]];
        assert_eq!(found, [activity, 200_400 + activity, status], "{ocsf:#}");
    }
}

#[test]
fn only_what_was_wrong_once_is_of_interest() {
    for (life, expected) in
        [(Life::begin(Mode::Fix), false), (told(), true), (fixed(), true), (gone(), true), (failed(), true)]
    {
        assert_eq!(life.finding.is_of_interest(), expected, "{:?}", life.shown());
    }
    let mut harmless = Life::begin(Mode::Fix);
    harmless.say(json!({"Action": "inspecting"}));
    harmless.say(json!({"Action": "record", "Compliance": "COMPLIANT", "Reason": "fine"}));
    harmless.say(json!({"Action": "close", "Generation": 1, "Compliance": "COMPLIANT", "Reason": "fine"}));
    assert!(!harmless.finding.is_of_interest());
}

#[test]
fn config_is_answered_by_an_inspection_and_nothing_else() {
    let check = |life: &Life, generation: u64, expected: Answerable| {
        assert_eq!(life.finding.answerable(generation), expected, "{:?}", life.shown());
    };
    check(&told(), 1, Answerable::Now(Compliance::NonCompliant));
    check(&fixed(), 1, Answerable::Now(Compliance::Compliant));
    check(&gone(), 2, Answerable::Now(Compliance::NotApplicable));
    check(&failed(), 1, Answerable::Never);
    check(&Life::begin(Mode::Fix), 1, Answerable::Later);
    // It was fine once, and can't be inspected now.
    let mut life = fixed();
    assert!(life.see("event-2"));
    check(&life, 2, Answerable::Later);
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "failed", "Error": "S3.S3Exception", "Cause": "AccessDenied"}));
    check(&life, 2, Answerable::Never);
    // A person has time; what came after the inspection is not known.
    let mut life = Life::begin(Mode::Approve);
    life.say(json!({"Action": "inspecting"}));
    life.say(json!({"Action": "record", "Compliance": "NON_COMPLIANT", "Reason": "its ACL lets anybody read"}));
    check(&life, 1, Answerable::Later);
    life.say(json!({"Action": "decide", "Owner": []}));
    life.say(json!({"Action": "asked", "TaskToken": "t", "DeadlineSeconds": 60}));
    check(&life, 1, Answerable::Now(Compliance::NonCompliant));
    check(&life, 2, Answerable::Later);
}

#[test]
fn what_is_longer_than_aws_takes_is_cut() {
    let mut finding = told().finding;
    let long = "ä".repeat(300_000);
    for text in [
        &mut finding.title,
        &mut finding.reason,
        &mut finding.guardrail,
        &mut finding.resource,
        &mut finding.resource_type,
    ] {
        text.clone_from(&long);
    }
    let occurrence = finding.occurrences.last_mut().unwrap();
    occurrence.why = Some(long.clone());
    occurrence.owner = json!([{"Name": long}]);
    let asff = finding.asff(&vec![long.clone(); 100]);
    let check = |pointer: &str, limit: usize| {
        let text = asff.pointer(pointer).and_then(Value::as_str).unwrap();
        assert_eq!(text.chars().count(), limit, "{pointer}");
        assert!(text.ends_with('…'), "{pointer}");
    };
    check("/Title", 256);
    check("/Description", 1024);
    check("/GeneratorId", 512);
    check("/Resources/0/Id", 512);
    check("/Remediation/Recommendation/Text", 512);
    check("/ProductFields/rectify~1Why", 1024);
    check("/ProductFields/rectify~1Owner", 1024);
    check("/UserDefinedFields/RectifyGuardrail", 1024);
    check("/Compliance/RelatedRequirements/31", 64);
    assert_eq!(asff["Compliance"]["RelatedRequirements"].as_array().map(Vec::len), Some(32));
    assert_eq!(asff["Resources"][0]["Type"], "Other");
    assert!(asff.to_string().len() < 240_000, "{}", asff.to_string().len());
    // What says nothing is not sent: AWS takes no empty text.
    for text in [&mut finding.reason, &mut finding.title] {
        text.clear();
    }
    finding.guardrail = "g".to_owned();
    let asff = finding.asff(&[]);
    assert_eq!((&asff["Title"], &asff["Description"]), (&json!("g"), &json!("g")));
}

#[test]
fn every_change_is_later_than_the_one_before() {
    let mut life = told();
    let mut finding = life.finding.clone();
    // The clock was set back.
    for second in [0, 0, -5, 100] {
        let before = finding.updated_at;
        finding = Finding::sight(Some(&finding), &sighting("again", second), at(second)).finding;
        assert!(finding.updated_at > before, "{} after {before}", finding.updated_at);
    }
    assert_eq!(finding.updated_at, at(100));
    assert_eq!(life.say(json!({"Action": "excepted", "Exception": {
        "guardrail": "g", "resource": "b", "account": null, "reason": "a public site", "author": "bob", "until": "2030-01-01T00:00:00Z",
    }})), json!({}));
    let entry = life.finding.timeline.last().unwrap();
    assert_eq!((entry.what, entry.by.as_str()), (Milestone::Excepted, "bob"));
}
