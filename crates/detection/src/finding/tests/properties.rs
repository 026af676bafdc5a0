use proptest::prelude::*;

use super::*;
use crate::decide::Exception;

#[derive(Clone, Debug)]
enum Step {
    Sight,
    Say(FindingInput),
    /// A close on the word of the inspection that began last.
    CloseHonestly(Compliance),
    Wait,
}

fn compliance() -> impl Strategy<Value = Compliance> {
    prop_oneof![Just(Compliance::Compliant), Just(Compliance::NonCompliant), Just(Compliance::NotApplicable)]
}

fn input() -> impl Strategy<Value = FindingInput> {
    let until = |seconds: i64| Some(at(seconds));
    prop_oneof![
        4 => Just(FindingInput::Inspecting {}),
        4 => compliance().prop_map(|compliance| FindingInput::Record { compliance, reason: "r".repeat(5000) }),
        4 => Just(FindingInput::Decide { owner: Value::Null }),
        2 => any::<bool>().prop_map(|ok| FindingInput::Told { kind: "noticed".to_owned(), results: json!([{"Ok": ok}]) }),
        2 => any::<u64>().prop_map(|seconds| FindingInput::Asked { task_token: TaskToken::new("t"), deadline_seconds: seconds }),
        2 => any::<bool>().prop_map(|approved| FindingInput::Answered { approved, person: None, reason: None }),
        4 => any::<u8>().prop_map(|number| FindingInput::KeepBefore { before: json!(number) }),
        4 => Just(FindingInput::Fixing {}),
        2 => (0..5u64, compliance()).prop_map(|(generation, compliance)| FindingInput::Close { generation, compliance, reason: String::new() }),
        1 => Just(FindingInput::Failed { error: String::new(), cause: "é".repeat(5000), at: None }),
        1 => (0..100i64).prop_map(move |seconds| FindingInput::UndoAsked { person: "ann".to_owned(), until: until(seconds) }),
        1 => Just(FindingInput::Undoing {}),
        1 => (0..100i64).prop_map(move |seconds| FindingInput::Undone { until: until(seconds), gone: None }),
        1 => Just(FindingInput::ExecutionFailed { status: "ABORTED".to_owned(), error: String::new(), cause: String::new() }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Sight),
        8 => input().prop_map(Step::Say),
        2 => compliance().prop_map(Step::CloseHonestly),
        1 => Just(Step::Wait),
    ]
}

/// A run of the machine from an inspection to its end, or any step: chance alone would never fix anything.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let block = prop_oneof![
        3 => step().prop_map(|step| vec![step]),
        1 => (compliance(), 0..9usize).prop_map(|(proved, length)| run(proved).into_iter().take(length).collect()),
    ];
    prop::collection::vec(block, 0..30).prop_map(|blocks| blocks.concat())
}

fn run(proved: Compliance) -> Vec<Step> {
    let inputs = [
        FindingInput::Inspecting {},
        FindingInput::Record { compliance: Compliance::NonCompliant, reason: "r".to_owned() },
        FindingInput::Decide { owner: Value::Null },
        FindingInput::Told { kind: "noticed".to_owned(), results: json!([]) },
        FindingInput::KeepBefore { before: json!("before") },
        FindingInput::Fixing {},
        FindingInput::Inspecting {},
    ];
    inputs.into_iter().map(Step::Say).chain([Step::CloseHonestly(proved)]).collect()
}

fn befores(finding: &Finding) -> Vec<(u64, Value)> {
    let kept = finding.occurrences.iter();
    kept.filter_map(|occurrence| Some((occurrence.number, occurrence.before.clone()?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_comes(steps in steps(), mode in prop_oneof![Just(Mode::Alert), Just(Mode::Approve), Just(Mode::Fix)]) {
        let mut life = Life::begin(mode);
        let mut inspected_at = None;
        let mut names = vec![life.execution.clone()];
        for step in steps {
            let before = life.finding.clone();
            match step {
                Step::Wait => life.second += 30,
                Step::Sight => {
                    let name = life.execution.clone();
                    if life.see("event") {
                        prop_assert!(before.under_way.is_none() && !before.is_suppressed(at(life.second)));
                        prop_assert!(!names.contains(&life.execution), "{} was {name}", life.execution);
                        names.push(life.execution.clone());
                    }
                    prop_assert_eq!(life.finding.generation, before.generation + 1);
                }
                Step::Say(input) => check(&mut life, &before, &input, &mut inspected_at),
                Step::CloseHonestly(compliance) => {
                    let generation = inspected_at.unwrap_or(before.generation);
                    check(&mut life, &before, &FindingInput::Close { generation, compliance, reason: String::new() }, &mut inspected_at);
                }
            }
            prop_assert!(life.finding.timeline.len() <= TIMELINE_LIMIT);
            prop_assert!(life.finding.occurrences.len() <= OCCURRENCES_LIMIT);
            // A `Before` that was kept is never another.
            for (number, kept) in befores(&before) {
                if let Some((_, now)) = befores(&life.finding).into_iter().find(|(other, _)| *other == number) {
                    prop_assert_eq!(kept, now);
                }
            }
            // Nothing is fixed without one, nor unless that was decided.
            for occurrence in life.finding.occurrences.iter().filter(|occurrence| occurrence.fixing_at.is_some()) {
                prop_assert!(occurrence.before.is_some());
                prop_assert!(mode != Mode::Alert);
            }
            let kept: Finding = serde_json::from_value(serde_json::to_value(&life.finding).unwrap()).unwrap();
            prop_assert_eq!(&kept, &life.finding);
        }
    }

    #[test]
    fn an_exception_comes_before_everything(mode in prop_oneof![Just(Mode::Alert), Just(Mode::Approve), Just(Mode::Fix)], fixes in 0..200u64) {
        let mut life = Life::begin(mode);
        life.say(json!({"Action": "inspecting"}));
        life.say(json!({"Action": "record", "Compliance": "NON_COMPLIANT"}));
        let exception = Exception {
            guardrail: Some("g".to_owned()), resource: None, account: None,
            reason: "a public web site".to_owned(), author: "ann".to_owned(), until: at(1000),
        };
        let facts = Facts { exceptions: vec![exception], fixes_in_the_last_hour: fixes };
        let decide = FindingInput::Decide { owner: Value::Null };
        let change = life.finding.apply(&decide, "x", &settings(mode), &facts, at(10)).unwrap();
        prop_assert_eq!(change.decision, Some(crate::Decision::Leave));
        let late = life.finding.apply(&decide, "x", &settings(mode), &facts, at(1000)).unwrap();
        prop_assert_ne!(late.decision, Some(crate::Decision::Leave));
    }
}

/// One input, and the rule of closing.
fn check(life: &mut Life, before: &Finding, input: &FindingInput, inspected_at: &mut Option<u64>) {
    let answer = life.say(serde_json::to_value(input).unwrap());
    if answer.is_string() {
        assert_eq!(&life.finding, before, "what is illegal changes nothing");
        return;
    }
    match input {
        FindingInput::Inspecting {} => *inspected_at = answer["Generation"].as_u64(),
        FindingInput::Close { generation, compliance, .. } => {
            let closed = answer["Closed"] == true;
            assert!(!closed || (*generation == before.generation && *compliance != Compliance::NonCompliant));
            assert!(answer["InspectAgain"] != true || life.finding.under_way.is_some());
        }
        _ => {}
    }
    if life.finding.stage == Stage::Fixed && before.stage != Stage::Fixed {
        assert!(matches!(input, FindingInput::Close { .. }), "{input:?} said that it is fixed");
    }
}
