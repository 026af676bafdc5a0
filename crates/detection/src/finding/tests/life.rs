use super::*;

fn inspecting(generation: u64) -> (Value, Value) {
    (json!({"Action": "inspecting"}), json!({"Generation": generation}))
}

fn record(compliance: &str, occurrence: u64) -> (Value, Value) {
    (
        json!({"Action": "record", "Compliance": compliance, "Reason": "r", "FindingId": "passed over"}),
        json!({"Occurrence": occurrence, "Actor": {"type": "Root"}}),
    )
}

fn decide(decision: &str, why: &str, tell: bool) -> (Value, Value) {
    (
        json!({"Action": "decide", "Owner": [{"Name": "ann", "From": "tag Owner", "Confidence": "high"}]}),
        json!({"Decision": decision, "Why": why, "Tell": tell, "DeadlineSeconds": 86_400}),
    )
}

fn told() -> (Value, Value) {
    (json!({"Action": "told", "Kind": "noticed", "Results": []}), json!({}))
}

fn close(generation: u64, compliance: &str, closed: bool, again: bool, tell: Value) -> (Value, Value) {
    (
        json!({"Action": "close", "Generation": generation, "Compliance": compliance, "Reason": "r"}),
        json!({"Closed": closed, "InspectAgain": again, "Tell": tell}),
    )
}

const FIX: &str = "the mode is `fix`";

/// From the first event to the fix, proved.
fn fixed() -> Life {
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("fix", FIX, true), told()]);
    life.check(&[
        (json!({"Action": "keep_before", "Before": {"flags": 1}}), json!({"Before": {"flags": 1}})),
        (json!({"Action": "keep_before", "Before": {"flags": 2}}), json!({"Before": {"flags": 1}})),
        (json!({"Action": "fixing"}), json!({})),
        inspecting(1),
        close(1, "COMPLIANT", true, false, json!("fixed")),
    ]);
    life
}

#[test]
fn noticed_told_fixed_proved_undone() {
    let mut life = fixed();
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
    let occurrence = life.finding.current().unwrap().clone();
    let expected = [("noticed", Some(1000)), ("told", Some(5000)), ("fixed", Some(9000)), ("proved", Some(10_000))];
    assert_eq!(occurrence.milliseconds(), expected);
    assert_eq!(life.finding.show()["milliseconds"]["proved"], 10_000);
    life.execution = format!("{}-1-undo-1", life.finding.id);
    let answer = life.say(json!({"Action": "undo_asked", "Person": "ann"}));
    assert_eq!(answer["ExecutionName"], json!(life.execution));
    assert_eq!(answer["Input"]["Action"], "undo");
    life.check(&[
        (json!({"Action": "undoing"}), json!({"Wait": false, "Before": {"flags": 1}})),
        (json!({"Action": "undone", "Until": null}), json!({"Until": at(13 + 7 * 86_400), "More": false})),
    ]);
    life.assert_shown("SUPPRESSED", "undone", "NON_COMPLIANT");
    // What the undo itself raised starts nothing, and is on the record.
    assert!(!life.see("event-2"));
    assert_eq!(life.finding.timeline.last().unwrap().what, Milestone::SuppressedSighting);
    let again = life.say(json!({"Action": "undo_asked", "Person": "ann"}));
    assert_eq!(again, json!("the finding can't take `undo_asked`: its fix was taken back already"));
    // Once it is over, an event is a new occurrence.
    life.second += 8 * 86_400;
    assert!(life.see("event-3"));
    assert_eq!(life.execution, format!("{}-2", life.finding.id));
}

#[test]
fn the_event_of_ones_own_fix() {
    // While it is under way: inspected again, and closed all the same.
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("fix", FIX, true), told()]);
    life.say(json!({"Action": "keep_before", "Before": {}}));
    life.say(json!({"Action": "fixing"}));
    life.check(&[inspecting(1)]);
    assert!(!life.see("own"));
    life.check(&[
        close(1, "COMPLIANT", false, true, Value::Null),
        inspecting(2),
        record("COMPLIANT", 1),
        close(2, "COMPLIANT", true, false, json!("fixed")),
    ]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
    // Afterwards: inspected, nothing found, nothing told, and the fix can still be taken back.
    assert!(life.see("own, late"));
    life.check(&[inspecting(3)]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
    life.check(&[record("COMPLIANT", 2), close(3, "COMPLIANT", true, false, Value::Null)]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
    assert_eq!(life.finding.undoable().unwrap().number, 1);
    // The number is not given again, or an execution would have another's name.
    assert!(life.see("another"));
    assert!(life.execution.ends_with("-3"));
}

#[test]
fn reopened_between_proof_and_close() {
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("fix", FIX, true), told()]);
    life.say(json!({"Action": "keep_before", "Before": {"a": 1}}));
    life.say(json!({"Action": "fixing"}));
    life.check(&[inspecting(1)]);
    life.see("reopened");
    life.check(&[close(1, "COMPLIANT", false, true, Value::Null), inspecting(2), record("NON_COMPLIANT", 2)]);
    // An appearance of its own, with a Before of its own, in the same response.
    assert_eq!(life.finding.current().unwrap().events, ["reopened"]);
    life.check(&[
        decide("fix", FIX, true),
        told(),
        (json!({"Action": "keep_before", "Before": {"b": 2}}), json!({"Before": {"b": 2}})),
        (json!({"Action": "fixing"}), json!({})),
        inspecting(2),
        close(2, "COMPLIANT", true, false, json!("fixed")),
    ]);
    let kept: Vec<_> = life.finding.occurrences.iter().map(|occurrence| occurrence.before.clone().unwrap()).collect();
    assert_eq!(kept, [json!({"a": 1}), json!({"b": 2})]);
}

#[test]
fn opened_before_the_proof_began() {
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("fix", FIX, true), told()]);
    life.say(json!({"Action": "keep_before", "Before": {"a": 1}}));
    life.see("second rule");
    life.say(json!({"Action": "fixing"}));
    // The proving inspection saw it, and the fix of the first could not touch it: no failure, an appearance of its own.
    life.check(&[
        inspecting(2),
        close(2, "NON_COMPLIANT", false, true, Value::Null),
        inspecting(2),
        record("NON_COMPLIANT", 2),
    ]);
    assert_eq!(life.finding.current().unwrap().events, ["second rule"]);
    life.check(&[decide("fix", FIX, true), told()]);
    life.say(json!({"Action": "keep_before", "Before": {"b": 2}}));
    life.say(json!({"Action": "fixing"}));
    // Nothing came since: a fix that did not help is for people.
    let mut helpless = life.clone();
    helpless.check(&[inspecting(2), close(2, "NON_COMPLIANT", false, false, json!("not_fixed"))]);
    helpless.assert_shown("NOTIFIED", "failed", "NON_COMPLIANT");
    life.check(&[inspecting(2), close(2, "COMPLIANT", true, false, json!("fixed"))]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");

    // One undo takes both back, the older first; one of long before is another matter.
    life.finding.occurrences[0].event_at = at(-1000);
    let mut alone = life.clone();
    life.finding.occurrences[0].event_at = at(0);
    for (life, befores) in [(&mut life, vec![json!({"a": 1}), json!({"b": 2})]), (&mut alone, vec![json!({"b": 2})])] {
        life.execution = format!("{}-2-undo-1", life.finding.id);
        life.say(json!({"Action": "undo_asked", "Person": "ann"}));
        for (number, before) in befores.iter().enumerate() {
            life.check(&[(json!({"Action": "undoing"}), json!({"Wait": false, "Before": before}))]);
            let undone = life.say(json!({"Action": "undone", "Until": at(1000)}));
            assert_eq!(undone, json!({"Until": at(1000), "More": number + 1 < befores.len()}));
        }
        life.assert_shown("SUPPRESSED", "undone", "NON_COMPLIANT");
    }
    assert!(life.finding.undoable().is_none());
    assert_eq!(alone.finding.undoable().unwrap().number, 1, "the next undo's");
}

#[test]
fn what_keeps_being_opened_before_the_proof_is_for_people() {
    let mut life = Life::begin(Mode::Fix);
    for round in 1..=INSPECTIONS_LIMIT / 2 {
        life.check(&[inspecting(round), record("NON_COMPLIANT", round), decide("fix", FIX, true), told()]);
        life.say(json!({"Action": "keep_before", "Before": {}}));
        life.say(json!({"Action": "fixing"}));
        life.see("again");
        let last = round == INSPECTIONS_LIMIT / 2;
        let tell = if last { json!("unsettled") } else { Value::Null };
        life.check(&[inspecting(round + 1), close(round + 1, "NON_COMPLIANT", false, !last, tell)]);
    }
    life.assert_shown("NOTIFIED", "failed", "NON_COMPLIANT");
}

#[test]
fn compliant_at_first_and_gone() {
    for compliance in ["COMPLIANT", "NOT_APPLICABLE"] {
        let mut life = Life::begin(Mode::Fix);
        life.check(&[inspecting(1), record(compliance, 1), close(1, compliance, true, false, Value::Null)]);
        life.assert_shown("RESOLVED", "compliant", compliance);
        assert!(life.finding.occurrences.is_empty());
    }
}

#[test]
fn told_and_left_then_repaired_by_people() {
    let mut life = Life::begin(Mode::Alert);
    life.check(&[
        inspecting(1),
        record("NON_COMPLIANT", 1),
        decide("tell", "the mode is `alert`: nothing is changed", true),
        told(),
        close(1, "NON_COMPLIANT", false, false, Value::Null),
    ]);
    life.assert_shown("NOTIFIED", "told", "NON_COMPLIANT");
    let illegal = life.say(json!({"Action": "undo_asked", "Person": "ann"}));
    assert_eq!(
        illegal,
        json!("the finding can't take `undo_asked`: nothing of it was fixed, so there is nothing to take back")
    );
    assert!(life.see("repair"));
    life.check(&[inspecting(2), record("COMPLIANT", 2), close(2, "COMPLIANT", true, false, json!("resolved"))]);
    life.assert_shown("RESOLVED", "compliant", "COMPLIANT");
}

#[test]
fn asked_and_answered() {
    let ask = "the mode is `approve`: a person is asked first";
    for (approved, person, stage) in
        [(true, Some("ann"), "inspecting"), (false, Some("ann"), "told"), (false, None, "told")]
    {
        let mut life = Life::begin(Mode::Approve);
        life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("ask", ask, true), told()]);
        let asked = |token: &str| json!({"Action": "asked", "TaskToken": token, "DeadlineSeconds": 60});
        life.check(&[
            (asked("first secret"), json!({"AlreadyAsked": false})),
            (asked("second secret"), json!({"AlreadyAsked": true})),
        ]);
        assert_eq!(life.finding.question().unwrap().task_token.expose(), "second secret");
        for shown in [life.finding.show().to_string(), life.finding.view().to_string(), format!("{:?}", life.finding)] {
            assert!(!shown.contains("secret"), "{shown}");
        }
        assert!(life.finding.show()["occurrences"][0]["question"]["deadline"].is_string());
        life.assert_shown("NOTIFIED", "waiting_for_a_person", "NON_COMPLIANT");
        let answer = json!({"Action": "answered", "Approved": approved, "Person": person, "Reason": null});
        life.check(&[(answer.clone(), json!({"Approved": approved}))]);
        life.assert_shown("NOTIFIED", stage, "NON_COMPLIANT");
        assert_eq!(life.say(answer), json!("the finding can't take `answered`: nobody was asked; `asked` comes first"));
        // Inspected afresh, not told and asked again.
        life.check(&[inspecting(1), record("NON_COMPLIANT", 1)]);
        life.check(&[match (approved, person) {
            (true, _) => decide("fix", "ann approved of the fix", false),
            (false, Some(_)) => decide("tell", "ann did not want the fix", false),
            (false, None) => decide("tell", "nobody answered in time", false),
        }]);
    }
}

#[test]
fn what_fails_is_never_suppressed() {
    let failed =
        (json!({"Action": "failed", "Error": "S3.S3Exception", "Cause": "Access Denied", "At": "Inspect"}), json!({}));
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), failed.clone()]);
    life.assert_shown("NEW", "failed", "none");
    life.check(&[(json!({"Action": "told", "Kind": "failed", "Results": [{"Channel": "c", "Ok": true}]}), json!({}))]);
    life.assert_shown("NOTIFIED", "failed", "none");
    assert!(life.see("event-2"), "a response that failed is over");

    // A look at what was resolved that fails: it can't be said to be resolved any more.
    let mut life = fixed();
    life.see("event-2");
    life.check(&[inspecting(2), failed]);
    life.assert_shown("NEW", "failed", "COMPLIANT");

    let mut life = Life::begin(Mode::Fix);
    let died = json!({"Action": "execution_failed", "Status": "TIMED_OUT"});
    let own = life.execution.clone();
    for another in ["inspection-on-demand".to_owned(), format!("{}-0", life.finding.id)] {
        life.execution = another;
        life.check(&[(died.clone(), json!({"Failed": false}))]);
    }
    life.execution = own;
    life.check(&[(died, json!({"Failed": true}))]);
    life.assert_shown("NEW", "failed", "none");
}

#[test]
fn not_fixed_by_its_fix() {
    let mut life = Life::begin(Mode::Fix);
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("fix", FIX, true), told()]);
    assert_eq!(
        life.say(json!({"Action": "fixing"})),
        json!("the finding can't take `fixing`: what was there before has not been kept; `keep_before` first")
    );
    life.say(json!({"Action": "keep_before", "Before": null}));
    life.say(json!({"Action": "fixing"}));
    life.check(&[inspecting(1), close(1, "NON_COMPLIANT", false, false, json!("not_fixed"))]);
    life.assert_shown("NOTIFIED", "failed", "NON_COMPLIANT");
    assert!(life.finding.undoable().is_some(), "half a fix can be taken back");
}

#[test]
fn an_undo_waits_for_the_response_under_way() {
    let mut life = fixed();
    life.see("late");
    let response = life.execution.clone();
    life.execution = format!("{}-1-undo-1", life.finding.id);
    life.check(&[(json!({"Action": "undoing"}), json!({"Wait": true, "Before": null}))]);
    // It gives up: the response is not concerned, and the next undo has another name.
    life.check(&[(json!({"Action": "failed", "Error": "ResponseUnderWay"}), json!({}))]);
    assert_eq!(life.finding.under_way.as_ref().unwrap().execution_name, response);
    let answer = life.say(json!({"Action": "undo_asked", "Person": "ann", "Until": at(100)}));
    assert_eq!(answer["ExecutionName"], json!(format!("{}-1-undo-2", life.finding.id)));
    assert_eq!(answer["Input"]["Until"], json!(at(100)));
    // Meanwhile it was reopened and fixed again: the undo that was asked for still is none of the response's business.
    life.execution.clone_from(&response);
    life.check(&[inspecting(2), record("NON_COMPLIANT", 2), decide("fix", FIX, true)]);
    life.say(json!({"Action": "keep_before", "Before": {}}));
    life.say(json!({"Action": "fixing"}));
    life.execution = format!("{}-1-undo-2", life.finding.id);
    life.check(&[(json!({"Action": "execution_failed", "Status": "ABORTED"}), json!({"Failed": true}))]);
    assert_eq!(life.finding.under_way.as_ref().unwrap().execution_name, response);
    assert_eq!(life.finding.stage, Stage::Fixing);
}

#[test]
fn an_undo_of_what_is_gone() {
    let mut life = fixed();
    life.execution = format!("{}-1-undo-1", life.finding.id);
    let gone = json!({"Action": "undone", "Until": at(100), "Gone": "the bucket is gone"});
    let illegal = "the finding can't take `undone`: no undo is under way; `undoing` comes first";
    life.check(&[
        (gone.clone(), json!(illegal)),
        (json!({"Action": "undoing"}), json!({"Wait": false, "Before": {"flags": 1}})),
        (gone, json!({"Until": null, "More": false})),
    ]);
    life.assert_shown("RESOLVED", "undone", "NOT_APPLICABLE");
    assert_eq!(life.finding.reason, "the bucket is gone");
    assert!(life.finding.undoable().is_none() && life.finding.suppressed_until.is_none());
    assert!(life.see("another bucket of that name"));
}

#[test]
fn an_undo_that_died_before_it_began_can_be_asked_for_again() {
    let mut life = fixed();
    life.execution = format!("{}-1-undo-1", life.finding.id);
    life.check(&[(json!({"Action": "execution_failed", "Status": "ABORTED"}), json!({"Failed": true}))]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
    let answer = life.say(json!({"Action": "undo_asked", "Person": "ann"}));
    assert_eq!(answer["ExecutionName"], json!(format!("{}-1-undo-2", life.finding.id)));
}

#[test]
fn left_alone_by_an_exception() {
    let mut life = Life::begin(Mode::Fix);
    life.facts.exceptions = vec![crate::decide::Exception {
        guardrail: None,
        resource: Some("b".to_owned()),
        account: None,
        reason: "a public web site".to_owned(),
        author: "ann".to_owned(),
        until: at(1000),
    }];
    let why = format!("an exception by ann leaves it alone until {}: a public web site", at(1000));
    life.check(&[
        inspecting(1),
        record("NON_COMPLIANT", 1),
        decide("leave", &why, false),
        close(1, "NON_COMPLIANT", false, false, Value::Null),
    ]);
    life.assert_shown("SUPPRESSED", "told", "NON_COMPLIANT");
    // Looked at again with every event all the same.
    assert!(life.see("event-2"));
    life.check(&[inspecting(2), record("COMPLIANT", 2), close(2, "COMPLIANT", true, false, Value::Null)]);
    life.assert_shown("RESOLVED", "compliant", "COMPLIANT");
}

#[test]
fn an_exception_comes_before_an_approval() {
    let mut life = Life::begin(Mode::Approve);
    let ask = "the mode is `approve`: a person is asked first";
    life.check(&[inspecting(1), record("NON_COMPLIANT", 1), decide("ask", ask, true), told()]);
    life.say(json!({"Action": "asked", "TaskToken": "t", "DeadlineSeconds": 60}));
    life.facts.exceptions = vec![crate::decide::Exception {
        guardrail: None,
        resource: Some("b".to_owned()),
        account: None,
        reason: "a public web site".to_owned(),
        author: "bob".to_owned(),
        until: at(1000),
    }];
    let why = format!("an exception by bob leaves it alone until {}: a public web site", at(1000));
    life.check(&[
        (json!({"Action": "answered", "Approved": true, "Person": "ann"}), json!({"Approved": true})),
        inspecting(1),
        record("NON_COMPLIANT", 1),
        decide("leave", &why, false),
        close(1, "NON_COMPLIANT", false, false, Value::Null),
    ]);
    life.assert_shown("SUPPRESSED", "told", "NON_COMPLIANT");
    let decided = life.finding.timeline.iter().rfind(|entry| entry.what == Milestone::Decided).unwrap();
    assert_eq!(decided.detail["Why"], json!(why), "the timeline tells why the approved fix is not made");
}

#[test]
fn a_failed_look_at_what_was_fixed_then_a_good_one() {
    let mut life = fixed();
    life.see("event-2");
    life.check(&[inspecting(2), (json!({"Action": "failed", "Error": "Throttled"}), json!({}))]);
    life.check(&[(json!({"Action": "told", "Kind": "failed", "Results": []}), json!({}))]);
    life.assert_shown("NOTIFIED", "failed", "COMPLIANT");
    life.see("event-3");
    life.check(&[inspecting(3), record("COMPLIANT", 3), close(3, "COMPLIANT", true, false, json!("resolved"))]);
    life.assert_shown("RESOLVED", "fixed", "COMPLIANT");
}

#[test]
fn reverted_by_somebody() {
    let mut life = fixed();
    life.settings.mode = Mode::Alert;
    life.see("reopened");
    life.check(&[inspecting(2), record("NON_COMPLIANT", 2)]);
    life.assert_shown("NEW", "reverted", "NON_COMPLIANT");
    life.check(&[
        decide("tell", "the mode is `alert`: nothing is changed", true),
        told(),
        close(2, "NON_COMPLIANT", false, false, Value::Null),
    ]);
    life.assert_shown("NOTIFIED", "reverted", "NON_COMPLIANT");
}

#[test]
fn limits_are_told() {
    let mut life = Life::begin(Mode::Fix);
    for event in 0..300 {
        life.see(&event.to_string());
    }
    assert_eq!(life.finding.timeline.len(), TIMELINE_LIMIT);
    assert_eq!(life.finding.timeline_forgotten, 101);
    let occurrence = life.finding.current().unwrap();
    assert_eq!((occurrence.events.len(), occurrence.events_not_kept), (EVENTS_LIMIT, 251));
    // A resource that keeps changing is for people.
    for inspection in 1..=INSPECTIONS_LIMIT {
        let generation = life.say(json!({"Action": "inspecting"}))["Generation"].as_u64().unwrap();
        life.see("again");
        let last = inspection == INSPECTIONS_LIMIT;
        let tell = if last { json!("unsettled") } else { Value::Null };
        life.check(&[close(generation, "COMPLIANT", false, !last, tell)]);
    }
    life.assert_shown("NEW", "failed", "none");
}

#[test]
fn names_are_stable_and_short() {
    let id = Finding::id_of("s3-bucket-public-access", "111122223333", "eu-west-1", "my-bucket");
    assert_eq!(id, Finding::id_of("s3-bucket-public-access", "111122223333", "eu-west-1", "my-bucket"));
    assert_ne!(Finding::id_of("ab", "c", "d", "e"), Finding::id_of("a", "bc", "d", "e"));
    assert!(id.len() == 32 && id.chars().all(|letter| letter.is_ascii_digit() || letter.is_ascii_lowercase()));
    let mut occurrence = Occurrence::new(u64::MAX, at(0), at(0), None);
    occurrence.undos = u64::MAX;
    let longest = occurrence.next_undo(&id);
    assert!(longest.len() <= 80, "{longest}");
    let kept = serde_json::to_value(fixed().finding).unwrap();
    assert_eq!(serde_json::from_value::<Finding>(kept).unwrap(), fixed().finding);
}
