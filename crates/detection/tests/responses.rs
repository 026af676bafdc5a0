//! Both guardrails' machines, compiled and run by `execution`, with the finding's own life behind the built-in functions and a
//! small account behind the AWS calls: the way of a response, of an undo, with every task failing in turn and every answer lost once.
//!
//! What AWS itself answers is for the guardrails' tests in an emulated account; here it is the order of things that is tried.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "responses/account.rs"]
mod account;
#[path = "responses/home.rs"]
mod home;

use std::sync::LazyLock;

use detection::{Mode, Stage, WorkflowStatus};
use execution::Status;
use serde_json::json;

use account::Account;
use home::{Answers, Compiled, Home};

static GUARDRAILS: LazyLock<[Compiled; 2]> = LazyLock::new(|| {
    [
        Compiled::new(include_str!("../../../guardrails/s3/s3-bucket-public-access.yaml")),
        Compiled::new(include_str!("../../../guardrails/ec2/security-group-open-to-world.yaml")),
    ]
});

fn home(guardrail: &'static Compiled, mode: Mode) -> Home {
    Home::new(guardrail, mode, Account::open())
}

#[test]
fn fixed_then_undone() {
    for guardrail in GUARDRAILS.iter() {
        let mut home = home(guardrail, Mode::Fix);
        home.respond();
        assert_eq!(home.outcome(), json!({"Outcome": "fixed"}));
        assert_eq!(home.told, ["noticed", "fixed"]);
        assert!(home.is_shut());
        assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Resolved, Stage::Fixed));
        let kept_private = home.account.private_rules();
        home.undo();
        assert_eq!(home.outcome(), json!({"Outcome": "undone"}));
        assert_eq!(home.account.without_ids(), Account::open().without_ids());
        assert_eq!(home.account.private_rules(), kept_private, "what is private was never touched");
        assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Suppressed, Stage::Undone));
        assert_eq!(home.told, ["noticed", "fixed", "undone"]);
    }
}

#[test]
fn alert_changes_nothing() {
    for guardrail in GUARDRAILS.iter() {
        let mut home = home(guardrail, Mode::Alert);
        home.respond();
        assert_eq!(home.outcome(), json!({"Outcome": "left"}));
        assert_eq!(home.account, Account::open());
        assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Notified, Stage::Told));
        assert_eq!(home.told, ["noticed"]);
    }
}

#[test]
fn compliant_at_first_is_closed_in_silence() {
    for guardrail in GUARDRAILS.iter() {
        let mut home = Home::new(guardrail, Mode::Fix, Account::shut());
        home.respond();
        assert_eq!(home.outcome(), json!({"Outcome": "compliant"}));
        assert!(home.told.is_empty());
        assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Resolved, Stage::Compliant));
    }
}

#[test]
fn a_person_approves_denies_or_is_silent() {
    for guardrail in GUARDRAILS.iter() {
        for (answer, outcome, told) in [
            (Some(json!({"Approved": true, "Person": "ann"})), "fixed", vec!["noticed", "question", "fixed"]),
            (Some(json!({"Approved": false, "Person": "ann"})), "left", vec!["noticed", "question", "denied"]),
            (None, "left", vec!["noticed", "question", "denied"]),
        ] {
            let mut home = home(guardrail, Mode::Approve);
            home.answer = answer;
            home.respond();
            assert_eq!(home.outcome(), json!({"Outcome": outcome}));
            assert_eq!(home.told, told);
            assert_eq!(home.is_shut(), outcome == "fixed");
            let status = if outcome == "fixed" { WorkflowStatus::Resolved } else { WorkflowStatus::Notified };
            assert_eq!(home.finding().status, status);
        }
    }
}

#[test]
fn what_comes_while_it_is_under_way_is_not_lost() {
    for guardrail in GUARDRAILS.iter() {
        // The fix's own event, and somebody who opens it once more between the proof and the close.
        for reopened in [false, true] {
            let mut home = home(guardrail, Mode::Fix);
            home.before_close = Some(reopened);
            home.respond();
            assert_eq!(home.outcome(), json!({"Outcome": "fixed"}));
            assert!(home.is_shut());
            let told = if reopened { vec!["noticed", "noticed", "fixed"] } else { vec!["noticed", "fixed"] };
            assert_eq!(home.told, told);
            assert_eq!(home.finding().occurrences.len(), if reopened { 2 } else { 1 });
        }
    }
}

#[test]
fn five_rules_in_a_row() {
    let [_, group] = &*GUARDRAILS;
    let mut opened = Account::open();
    (0..4).for_each(|_| opened.reopen());
    let mut home = home(group, Mode::Fix);
    // Each after the inspection that the fix goes by, and before the one that proves it.
    home.opened_before_fixes = 4;
    home.respond();
    assert_eq!(home.outcome(), json!({"Outcome": "fixed"}));
    assert!(home.is_shut());
    assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Resolved, Stage::Fixed));
    assert_eq!(home.finding().occurrences.len(), 5);
    assert_eq!(home.told.last().unwrap(), "fixed");
    home.undo();
    assert_eq!(home.outcome(), json!({"Outcome": "undone"}));
    assert_eq!(home.account.without_ids(), opened.without_ids(), "one undo brings all of them back");
    assert_eq!((home.finding().status, home.finding().stage), (WorkflowStatus::Suppressed, Stage::Undone));
}

#[test]
fn undone_when_it_is_gone() {
    for guardrail in GUARDRAILS.iter() {
        let mut home = home(guardrail, Mode::Fix);
        home.respond();
        home.account.gone = true;
        home.undo();
        assert_eq!(home.outcome(), json!({"Outcome": "undone"}));
        let finding = home.finding();
        assert_eq!((finding.status, finding.stage), (WorkflowStatus::Resolved, Stage::Undone));
        assert_eq!(finding.compliance, Some(detection::Compliance::NotApplicable));
        assert!(finding.reason.ends_with("is gone"), "{}", finding.reason);
        assert_eq!(home.told, ["noticed", "fixed", "undone"]);
        let text = home.texts.last().unwrap();
        assert!(text.ends_with(&format!("has nothing to be taken back: {}", finding.reason)), "{text}");
    }
}

#[test]
fn every_answer_lost_once_changes_nothing() {
    for guardrail in GUARDRAILS.iter() {
        for mode in [Mode::Alert, Mode::Approve, Mode::Fix] {
            let mut plain = home(guardrail, mode);
            plain.respond();
            let mut lossy = home(guardrail, mode);
            lossy.answers = Answers::LostOnce;
            lossy.respond();
            assert_eq!(lossy.outcome(), plain.outcome());
            assert_eq!(lossy.account.without_ids(), plain.account.without_ids());
            let what = |home: &Home| home.finding().timeline.iter().map(|entry| entry.what).collect::<Vec<_>>();
            assert_eq!(what(&lossy), what(&plain), "the record tells everything once");
            assert_eq!(lossy.counted_fixes, plain.counted_fixes);
        }
    }
}

#[test]
fn with_every_task_failing_in_turn_nothing_is_left_half_told() {
    for guardrail in GUARDRAILS.iter() {
        for mode in [Mode::Alert, Mode::Approve, Mode::Fix] {
            let mut plain = home(guardrail, mode);
            plain.respond();
            for state in plain.states_called.clone() {
                let mut home = home(guardrail, mode);
                home.answers = Answers::Fails(state.clone());
                home.respond();
                check_ending(&home, &format!("{mode:?}, `{state}` fails"));
            }
        }
        let mut plain = home(guardrail, Mode::Fix);
        plain.respond();
        plain.states_called.clear();
        plain.undo();
        for state in plain.states_called.clone() {
            let mut home = home(guardrail, Mode::Fix);
            home.respond();
            home.answers = Answers::Fails(state.clone());
            home.undo();
            check_ending(&home, &format!("undo, `{state}` fails"));
        }
    }
}

/// However it ended: the response is over, somebody knows, and nothing was changed that can't be taken back.
fn check_ending(home: &Home, case: &str) {
    let finding = home.finding();
    assert!(finding.under_way.is_none(), "{case}: the response is never over");
    let execution_failed = home.status() == Status::Failed;
    let told_of_it = home.told.iter().any(|kind| kind == "failed" || kind == "not_fixed");
    let outcome = if execution_failed { json!(null) } else { home.outcome()["Outcome"].clone() };
    // The engine tells of an execution that failed.
    assert!(execution_failed || told_of_it || outcome != "failed", "{case}: nobody was told");
    assert!(execution_failed || !home.told.is_empty(), "{case}: nobody was told of anything");
    if finding.status == WorkflowStatus::Resolved {
        assert!(home.is_shut(), "{case}: said to be resolved, and open");
    }
    if outcome == "failed" {
        assert_eq!(finding.stage, Stage::Failed, "{case}");
        assert_ne!(finding.status, WorkflowStatus::Suppressed, "{case}: a failure is no suppression");
    }
    if home.is_shut() {
        let kept = finding.occurrences.iter().any(|occurrence| occurrence.before.is_some());
        assert!(kept, "{case}: changed without a way back");
    }
}

#[test]
fn on_demand() {
    for guardrail in GUARDRAILS.iter() {
        let mut home = home(guardrail, Mode::Fix);
        home.run(json!({"Action": "inspect", "Resource": home.resource()}), "inspection");
        assert_eq!(home.outcome()["Compliance"], "NON_COMPLIANT");
        assert!(home.outcome()["Reason"].as_str().unwrap().len() > 10);
        home.run(json!({"Action": "list", "Resource": home.resource()}), "first page");
        assert_eq!(home.outcome(), json!({"ResourceIds": ["one"], "NextToken": "2"}));
        home.run(json!({"Action": "list", "Resource": home.resource(), "NextToken": "2"}), "second page");
        assert_eq!(home.outcome(), json!({"ResourceIds": ["two"]}));
        home.run(json!({"Action": "dance", "Resource": home.resource()}), "unknown");
        assert_eq!(home.status(), Status::Failed);
        assert!(home.told.is_empty());
    }
}
