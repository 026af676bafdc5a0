//! A rule's finding: its occurrences and their windows, what people are told, and what they can do about it.

use serde_json::json;

use super::*;
use crate::decide::{Decision, Exception};

fn matched_rule(untold: Option<&str>) -> MatchedRule {
    MatchedRule {
        tags: vec!["attack.t1078".to_owned()],
        reason: "ConsoleLogin of signin.amazonaws.com".to_owned(),
        dedup_window_seconds: 100,
        untold: untold.map(str::to_owned),
    }
}

/// A match at a second, on what was there.
fn see(finding: Option<&Finding>, event: &str, second: i64, untold: Option<&str>, exceptions: &[Exception]) -> Sighted {
    let rule = matched_rule(untold);
    let sighting = Sighting { rule: Some(rule.clone()), ..sighting(event, second) };
    Finding::matched(finding, &sighting, &rule, exceptions, at(second))
}

fn exception(until: i64) -> Exception {
    Exception {
        guardrail: Some("g".to_owned()),
        resource: Some("b".to_owned()),
        account: None,
        reason: "a drill".to_owned(),
        author: "ann".to_owned(),
        until: at(until),
    }
}

fn say(finding: &Finding, input: Value, second: i64) -> Result<Finding, String> {
    let input: FindingInput = serde_json::from_value(input).unwrap();
    let name = Finding::execution_name(&finding.id, finding.occurrence);
    let arn = format!("arn:aws:states:eu-west-1:111122223333:execution:rectify-rule:{name}");
    finding
        .apply(&input, &arn, &settings(Mode::Alert), &Facts::default(), at(second))
        .map(|change| change.finding)
        .map_err(|illegal| illegal.to_string())
}

/// One that was told and left to people.
fn told() -> Finding {
    let finding = see(None, "1", 0, None, &[]).finding;
    let told = json!({"Action": "told", "Kind": "noticed", "Results": [{"Channel": "c", "Ok": true}]});
    let finding = say(&finding, told, 1).unwrap();
    say(&finding, json!({"Action": "leave"}), 1).unwrap()
}

fn shown(finding: &Finding) -> (WorkflowStatus, Stage, u64) {
    (finding.status, finding.stage, finding.occurrence)
}

#[test]
fn a_match_is_told_once_and_left_to_people() {
    let sighted = see(None, "1", 0, None, &[]);
    let start = sighted.start.unwrap();
    assert_eq!(start.execution_name, format!("{}-1", sighted.finding.id));
    let input: Value = serde_json::from_str(&start.input).unwrap();
    assert_eq!(
        (&input["Title"], &input["Reason"]),
        (&json!("It is open"), &json!("ConsoleLogin of signin.amazonaws.com"))
    );
    let finding = told();
    assert_eq!(shown(&finding), (WorkflowStatus::Notified, Stage::Told, 1));
    assert_eq!((finding.compliance, finding.under_way.is_none()), (None, true));
    assert_eq!(finding.rule.as_ref().unwrap().tags, ["attack.t1078"]);
    assert_eq!(finding.show()["rule"]["tags"], json!(["attack.t1078"]));
    assert!(say(&finding, json!({"Action": "leave"}), 2).is_err(), "nothing is under way");
}

#[test]
fn the_window_takes_along_and_what_comes_after_it_is_a_new_occurrence() {
    let finding = told();
    for (second, occurrence, starts) in [(2, 1, false), (99, 1, false), (100, 2, true), (1_000, 2, true)] {
        let sighted = see(Some(&finding), "x", second, None, &[]);
        assert_eq!((sighted.finding.occurrence, sighted.start.is_some()), (occurrence, starts), "second {second}");
        assert_eq!(sighted.finding.timeline.iter().filter(|entry| entry.by == "x").count(), 1 + usize::from(starts));
    }
    // While people are being told, a match is taken along however late it comes.
    let telling = see(None, "1", 0, None, &[]).finding;
    assert!(see(Some(&telling), "2", 1_000, None, &[]).start.is_none());
}

#[test]
fn the_first_events_of_an_occurrence_are_on_the_timeline_and_the_rest_are_counted() {
    let mut finding = told();
    for number in 0..1_000 {
        finding = see(Some(&finding), &format!("x{number}"), 2, None, &[]).finding;
    }
    let occurrence = finding.current().unwrap();
    assert_eq!((occurrence.events.len(), occurrence.events_not_kept), (EVENTS_LIMIT, 1_001 - EVENTS_LIMIT as u64));
    let absorbed = finding.timeline.iter().filter(|entry| entry.what == Milestone::Absorbed).count();
    assert_eq!((absorbed, finding.timeline_forgotten), (EVENTS_LIMIT - 1, 0));
    assert_eq!(finding.timeline[0].what, Milestone::Noticed, "what was told of it is not flushed away");
}

#[test]
fn what_is_not_told_is_on_the_record() {
    let sighted = see(None, "1", 0, Some("its severity is LOW"), &[]);
    assert!(sighted.start.is_none());
    assert_eq!(shown(&sighted.finding), (WorkflowStatus::New, Stage::Left, 1));
    let occurrence = sighted.finding.current().unwrap();
    assert_eq!((occurrence.decision, occurrence.why.as_deref()), (Some(Decision::Leave), Some("its severity is LOW")));
    let excepted = see(None, "1", 0, None, &[exception(10)]);
    assert!(excepted.start.is_none());
    assert_eq!(shown(&excepted.finding), (WorkflowStatus::Suppressed, Stage::Left, 1));
    let after = see(Some(&excepted.finding), "2", 200, None, &[exception(10)]);
    assert!(after.start.is_some(), "the exception is over");
    assert_eq!(after.finding.status, WorkflowStatus::New);
}

#[test]
fn people_resolve_and_except_it() {
    let finding = told();
    let resolve = json!({"Action": "resolve", "Person": "ann", "Reason": "it was me"});
    let resolved = say(&finding, resolve.clone(), 2).unwrap();
    assert_eq!(shown(&resolved), (WorkflowStatus::Resolved, Stage::Told, 1));
    assert!(say(&resolved, resolve.clone(), 3).unwrap_err().contains("resolved already"));
    let again = see(Some(&resolved), "2", 4, None, &[]);
    assert!(again.start.is_some() && again.finding.occurrence == 2, "what comes after is new");

    let except = json!({"Action": "suppress", "Person": "ann", "Reason": "a drill", "Until": at(50)});
    let suppressed = say(&finding, except.clone(), 2).unwrap();
    assert_eq!(suppressed.status, WorkflowStatus::Suppressed);
    assert_eq!(suppressed.timeline.last().unwrap().by, "ann");

    // Neither is a guardrail's to take, and an undo is not a rule's.
    let guardrails = Life::begin(Mode::Alert).finding;
    assert!(say(&guardrails, resolve, 2).unwrap_err().contains("which an inspection resolves"));
    assert!(say(&guardrails, except, 2).unwrap_err().contains("heeds the exception"));
    assert!(say(&guardrails, json!({"Action": "leave"}), 2).is_err());
    let undo = json!({"Action": "undo_asked", "Person": "ann"});
    assert!(say(&finding, undo, 2).unwrap_err().contains("nothing of it was fixed"));
}

#[test]
fn a_telling_that_ends_badly_fails_the_finding() {
    let finding = see(None, "1", 0, None, &[]).finding;
    let failed = json!({"Action": "execution_failed", "Status": "FAILED", "Error": "HalfTold"});
    let failed = say(&finding, failed, 1).unwrap();
    assert_eq!((failed.stage, failed.under_way.is_none()), (Stage::Failed, true));
    assert!(see(Some(&failed), "2", 200, None, &[]).start.is_some());
}

#[test]
fn others_are_told_of_a_match_until_a_person_deals_with_it() {
    let told = told();
    assert!(told.is_of_interest());
    let asff = told.asff(&[]);
    assert_eq!((&asff["Types"], &asff["RecordState"]), (&json!(["TTPs"]), &json!("ACTIVE")));
    assert_eq!(asff["Compliance"], json!({"Status": "NOT_AVAILABLE"}));
    let text = |asff: &Value| asff["Remediation"]["Recommendation"]["Text"].as_str().unwrap().to_owned();
    assert!(text(&asff).starts_with("Look at what was done"), "{asff:#}");
    let resolved = say(&told, json!({"Action": "resolve", "Person": "ann", "Reason": "a drill"}), 2).unwrap();
    let asff = resolved.asff(&[]);
    assert_eq!((&asff["RecordState"], text(&asff).as_str()), (&json!("ARCHIVED"), "Nothing: a person dealt with it."));
}
