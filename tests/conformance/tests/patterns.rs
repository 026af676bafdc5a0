//! Event patterns: what AWS answered, and the cases of event-ruler, AWS's own matcher.

use conformance::corpus;
use detection::{EventPattern, Matcher};
use serde_json::Value;

const RECORDED: usize = 117;
const EVENT_RULER: usize = 540;

/// Cases of event-ruler that AWS answers otherwise: (a part of the pattern's text, the reason).
const AWS_DIFFERS: &[(&str, &str)] = &[
    (
        "\"$or\": [\n    {\"name\": [ { \"anything-but\": \"a\" } ]}",
        "a path given twice is refused by event-ruler only where it is told to; on AWS the last one counts",
    ),
    ("\"eventSource\": [\"sns.amazonaws.com\"]", "AWS takes the last of duplicate keys"),
];

/// What the naive and the compiled matcher say, which must be the same.
fn matches(pattern: &str, event: &Value) -> Result<bool, String> {
    let pattern = EventPattern::parse(pattern).map_err(|invalid| invalid.to_string())?;
    let naive = pattern.matches(event);
    let compiled = Matcher::new(vec![((), pattern)]).matches(event).len() == 1;
    if naive == compiled { Ok(naive) } else { Err(format!("naively {naive}, compiled {compiled}")) }
}

#[test]
fn recorded_on_aws() {
    let Some(cases) = corpus("patterns/recorded-on-aws.jsonl.gz", RECORDED) else {
        return;
    };
    let mut passed = 0;
    for case in &cases {
        let answer = matches(&case["pattern"].to_string(), &case["event"]);
        if answer.as_ref().ok() == case["result"].as_bool().as_ref() {
            passed += 1;
        } else {
            println!("{}: {answer:?} instead of {}", case["id"], case["result"]);
        }
        assert_eq!(detection::event::check_envelope(&case["event"]), Ok(()), "{}", case["id"]);
    }
    println!("recorded on AWS: {passed} of {}", cases.len());
    assert_eq!((passed, cases.len()), (RECORDED, RECORDED));
}

#[test]
fn event_ruler() {
    let Some(cases) = corpus("patterns/event-ruler.jsonl.gz", EVENT_RULER) else {
        return;
    };
    let (mut passed, mut skipped) = (0, 0);
    let mut failures = Vec::new();
    for case in &cases {
        let Err(failure) = check_event_ruler(case) else {
            passed += 1;
            continue;
        };
        let text = case["pattern_text"].as_str().unwrap_or_default();
        match AWS_DIFFERS.iter().find(|(part, _)| text.contains(part)) {
            Some((_, reason)) => {
                skipped += 1;
                println!("skipped {}: {reason}", case["test"]);
            }
            None => {
                failures.push(format!("{}: {failure}\n{}\n{}", case["test"], case["pattern_text"], case["event_text"]))
            }
        }
    }
    println!("event-ruler: {passed} of {}, {skipped} skipped as AWS differs", cases.len());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert_eq!((passed, skipped), (EVENT_RULER - AWS_DIFFERS.len(), AWS_DIFFERS.len()));
}

fn check_event_ruler(case: &Value) -> Result<(), String> {
    match case["kind"].as_str() {
        Some("match") => {
            let event = &case["event"];
            let texts = case["pattern_text"].as_array().ok_or("no pattern")?;
            let any = texts.iter().try_fold(false, |any, text| {
                matches(text.as_str().ok_or("no pattern")?, event).map(|matched| any || matched)
            })?;
            if Some(any) == case["matched"].as_bool() { Ok(()) } else { Err(format!("{any} instead")) }
        }
        Some("valid") => EventPattern::parse(case["pattern_text"].as_str().ok_or("no pattern")?)
            .map(|_| ())
            .map_err(|invalid| invalid.to_string()),
        Some("invalid") => match EventPattern::parse(case["pattern_text"].as_str().ok_or("no pattern")?) {
            Ok(_) => Err("accepted".to_owned()),
            Err(invalid) => {
                let expected =
                    format!("Event pattern is not valid. Reason: {}", case["error"].as_str().unwrap_or_default());
                if invalid.to_string() == expected { Ok(()) } else { Err(format!("{invalid}\ninstead of\n{expected}")) }
            }
        },
        other => Err(format!("unknown kind {other:?}")),
    }
}
