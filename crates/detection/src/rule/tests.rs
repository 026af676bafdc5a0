//! Keys of findings, rules' files, and what a match leads to.

use serde_json::json;

use super::*;

#[test]
fn a_finding_is_keyed_by_the_first_resource_else_the_actor() {
    let pattern = EventPattern::parse(r#"{"source": ["aws.s3"]}"#).unwrap();
    let rule = Rule {
        id: "r".to_owned(),
        title: "R".to_owned(),
        severity: None,
        tags: Vec::new(),
        false_positives: Vec::new(),
        filter: pattern.into(),
    };
    let check = |resources: Value, detail: Value, expected: &str| {
        let envelope = json!({"id": "1", "detail-type": "T", "source": "s", "account": "123456789012", "region": "eu-west-1",
            "time": "2015-11-11T21:29:54Z", "resources": resources, "detail": detail});
        let key = rule.finding_key(&Event::from_envelope(envelope).unwrap());
        assert_eq!(key.resource, expected);
        assert_eq!(key.id(), Finding::id_of("r", "123456789012", "eu-west-1", expected));
    };
    check(json!(["arn:a", "arn:b"]), json!({"resources": [{"ARN": "arn:c"}]}), "arn:a");
    check(json!([]), json!({"resources": [{"type": "x"}, {"ARN": "arn:c"}], "userIdentity": {"arn": "u"}}), "arn:c");
    check(json!([]), json!({"resources": null, "userIdentity": {"arn": "u", "principalId": "p"}}), "u");
    check(json!([]), json!({"userIdentity": {"arn": "", "principalId": "p", "type": "Root"}}), "p");
    check(
        json!([]),
        json!({"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}),
        "ec2.amazonaws.com",
    );
    check(json!([]), json!({}), "");
}

fn written(text: &str, name: &str, names: Option<&Names>) -> Result<WrittenRule, String> {
    match read(text, name, names) {
        Ok(RuleFile::Rule(rule)) => Ok(*rule),
        Ok(other) => Err(format!("{other:?}")),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    }
}

const HEADED: &str = "id: bucket-deleted\ntitle: A bucket was deleted\nseverity: HIGH\nplaybook: look\ntags: [attack.t1485]\ndedup_window_seconds: 60\nevent: {source: [aws.s3]}\n";
const SIGMA: &str = "title: Bucket deleted\nid: r-1\nlevel: high\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName: DeleteBucket}, condition: s}\n";

#[test]
fn files_are_what_they_say() {
    let check = |text: &str, name: &str, id: &str, severity: Option<Severity>, leads_to: Option<LeadsTo>| {
        let rule = written(text, name, None).unwrap();
        assert_eq!((rule.rule.id.as_str(), rule.rule.severity, rule.leads_to), (id, severity, leads_to), "{text}");
    };
    let high = Some(Severity::High);
    check(HEADED, "a.yaml", "bucket-deleted", high, Some(LeadsTo::Playbook("look".to_owned())));
    check(SIGMA, "s.yml", "r-1", high, None);
    check("source: [aws.s3]\n", "plain.yaml", "plain.yaml", None, None);
    check("event: {name: [a]}\nwho: [b]\n", "fields.yaml", "fields.yaml", None, None);
    check(r#"{"source": ["aws.s3"]}"#, "plain.json", "plain.json", None, None);
    let guardrail = "id: g\ntitle: G\nrisk: safe\nresource: {type: T}\nevent: {source: [a]}\n";
    assert!(matches!(read(guardrail, "g.yaml", None), Ok(RuleFile::Guardrail)));
    let windows = "title: W\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n";
    assert!(matches!(read(windows, "w.yml", None), Ok(RuleFile::OtherSource(source)) if source == "product windows"));
}

#[test]
fn what_a_rule_can_t_say_is_told_at_its_place() {
    let names = Names { guardrails: ["bucket-public".to_owned()].into(), playbooks: ["look".to_owned()].into() };
    let check = |text: &str, expected: &[&str]| {
        let told = written(text, "a.yaml", Some(&names)).unwrap_err();
        for expected in expected {
            assert!(told.contains(expected), "{text}: {told}");
        }
    };
    assert!(written(HEADED, "a.yaml", Some(&names)).is_ok());
    check(&HEADED.replace("look", "lok"), &["4:11: ", "there is no playbook `lok`", "did you mean `look`?"]);
    check(&HEADED.replace("playbook: look", "guardrail: bucket-publi"), &["4:12: ", "did you mean `bucket-public`?"]);
    check(&HEADED.replace("playbook: look", "playbook: look\nguardrail: bucket-public"), &["not both"]);
    check(&HEADED.replace("HIGH", "hi"), &["3:11: ", "none of INFORMATIONAL"]);
    check(&HEADED.replace("severity", "severty"), &["3:1: ", "did you mean `severity`?"]);
    check(&HEADED.replace("[aws.s3]", "aws.s3"), &["7:17: ", "the event pattern is not valid"]);
    check(&HEADED.replace(": 60", ": -1"), &["6:23: ", "from 0 to 2592000"]);
    check(&HEADED.replace("id: bucket-deleted\n", ""), &["the key `id` is missing in the rule"]);
    check("source: aws.s3\n", &["1:9: ", "the event pattern is not valid"]);
    check("id: a\ntitle: A\nevent: {source: [a]\n", &["error"]);
    check("", &["error"]);
}

#[test]
fn the_configuration_comes_before_the_file_and_the_file_before_what_holds_for_all() {
    let active = |settings: &RuleSettings, text: &str| {
        ActiveRule::new(written(text, "s.yml", None).unwrap(), settings, &RuleDefaults::default())
    };
    let none = RuleSettings::default();
    let rule = active(&none, HEADED);
    assert_eq!((rule.severity, rule.dedup_window_seconds, rule.playbook()), (Severity::High, 60, Some("look")));
    let rule = active(&none, "source: [aws.s3]\n");
    assert_eq!((rule.severity, rule.dedup_window_seconds, rule.playbook()), (Severity::Medium, 3_600, None));
    let settings = RuleSettings {
        title: Some("T".to_owned()),
        severity: Some(Severity::Low),
        leads_to: Some(LeadsTo::Guardrail("g".to_owned())),
        is_disabled: false,
        dedup_window_seconds: Some(1),
    };
    let rule = active(&settings, HEADED);
    assert_eq!((rule.rule.title.as_str(), rule.severity, rule.dedup_window_seconds), ("T", Severity::Low, 1));
    assert_eq!((rule.guardrail(), rule.playbook()), (Some("g"), None));
}

#[test]
fn a_match_says_what_happened_to_what_and_whether_somebody_is_told() {
    let rule = |severity: Severity| {
        let settings = RuleSettings { severity: Some(severity), ..RuleSettings::default() };
        ActiveRule::new(written(SIGMA, "s.yml", None).unwrap(), &settings, &RuleDefaults::default())
    };
    let envelope = json!({"id": "1", "detail-type": "T", "source": "s", "account": "123456789012", "region": "eu-west-1",
        "time": "2015-11-11T21:29:54Z", "resources": [], "detail": {"eventName": "DeleteBucket", "eventSource": "s3.amazonaws.com",
        "errorCode": "AccessDenied", "resources": [{"ARN": "arn:aws:s3:::b", "type": "AWS::S3::Bucket"}]}});
    let event = Event::from_envelope(envelope).unwrap();
    let sighting = rule(Severity::Medium).sighting(&event);
    assert_eq!((sighting.guardrail.as_str(), sighting.resource.as_str()), ("r-1", "arn:aws:s3:::b"));
    assert_eq!((sighting.resource_type.as_str(), sighting.title.as_str()), ("AWS::S3::Bucket", "Bucket deleted"));
    let matched = sighting.rule.unwrap();
    assert_eq!(matched.reason, "DeleteBucket of s3.amazonaws.com, refused: AccessDenied");
    assert_eq!(matched.untold, None);
    let untold = rule(Severity::Low).sighting(&event).rule.unwrap().untold.unwrap();
    assert!(untold.contains("LOW") && untold.contains("MEDIUM"), "{untold}");
}

#[test]
fn the_machine_is_one_that_step_functions_takes() {
    let text = machine().to_string();
    let document = asl::Document::read(&text, asl::document::Format::Json).unwrap().0;
    let problems = asl::parse::parse(&document, &asl::parse::AnyResource).map(|(_, warnings)| warnings).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
}
