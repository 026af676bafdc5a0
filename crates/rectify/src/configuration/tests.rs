use super::*;

fn problems(text: &str) -> Vec<String> {
    Configuration::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_least_of_it() {
    let text = "mode: alert\nguardrails:\n  s3-bucket-public-access: {mode: fix}\nsources:\n  - sqs: {queue_url: \"https://q\"}\nchannels:\n  security-team: {webhook: {url: \"https://hook\"}}\n";
    let configuration = Configuration::parse(text).unwrap();
    assert_eq!(configuration.mode, Mode::Alert);
    assert_eq!(configuration.guardrails["s3-bucket-public-access"].mode, Some(Mode::Fix));
    assert_eq!(configuration.queues[0].url, "https://q");
    assert!(configuration.channels.contains_key("security-team"));
    assert!(Configuration::parse("# nothing\n").unwrap().guardrails.is_empty());
}

#[test]
fn nothing_is_exported_unless_it_is_said() {
    let is_exported = |text: &str| Configuration::parse(text).unwrap().security_hub;
    for (text, expected) in [
        ("mode: alert\n", false),
        ("exports: {}\n", false),
        ("exports: {security_hub: {}}\n", false),
        ("exports: {security_hub: {enabled: false}}\n", false),
        ("exports: {security_hub: {enabled: true}}\n", true),
    ] {
        assert_eq!(is_exported(text), expected, "{text}");
    }
    assert!(problems("exports: {security_hub: {enabled: 1}}\n")[0].contains("true or false"));
    assert!(problems("exports: {security_hbu: {}}\n")[0].contains("did you mean `security_hub`?"));
}

#[test]
fn memory_is_limited_by_whole_numbers() {
    let memory = |text: &str| {
        let configuration = Configuration::parse(text).unwrap();
        (configuration.evict_after_seconds, configuration.executions_in_memory)
    };
    assert_eq!(memory("mode: alert\n"), (None, None));
    assert_eq!(memory("memory: {evict_after_seconds: 0, executions: 50}\n"), (Some(0), Some(50)));
    for (text, told) in [
        ("memory: {executions: 0}\n", "from 1 to 1000000"),
        ("memory: {evict_after_seconds: 1.5}\n", "from 0 to 86400"),
        ("memory: {evict_after_second: 1}\n", "did you mean `evict_after_seconds`?"),
    ] {
        let problems = problems(text);
        assert!(problems.len() == 1 && problems.iter().all(|problem| problem.contains(told)), "{problems:?}");
    }
}

#[test]
fn limits_go_up_and_not_down() {
    let quotas = |text: &str| Configuration::parse(text).map(|configuration| configuration.quotas);
    assert_eq!(quotas("mode: alert\n").unwrap(), Quotas::AWS);
    assert_eq!(
        quotas("limits: {payload_bytes: 1048576, history_events: 100000}\n").unwrap(),
        Quotas { payload_bytes: 1_048_576, history_events: 100_000 }
    );
    for (text, place, help) in [
        ("limits: {payload_bytes: 1000}\n", "1:25: ", "from 262144, which is AWS's limit, to 2097152"),
        ("limits: {history_events: 24999}\n", "1:26: ", "from 25000, which is AWS's limit, to 1000000"),
        ("limits: {payload_bytes: 1e9}\n", "1:25: ", "from 262144"),
        ("limits: {payload_byte: 1}\n", "1:10: ", "did you mean `payload_bytes`?"),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].starts_with(place) && found[0].contains(help), "{text}: {found:?}");
    }
}

#[test]
fn what_is_over_is_kept_for_a_day_at_least() {
    let retention = |text: &str| Configuration::parse(text).map(|configuration| configuration.retention);
    assert_eq!(retention("mode: alert\n").unwrap(), Retention { days: 90, findings_days: 400 });
    assert_eq!(
        retention("retention_days: 30\nfindings_retention_days: 36500\n").unwrap(),
        Retention { days: 30, findings_days: 36_500 }
    );
    for text in ["retention_days: 0\n", "retention_days: -1\n", "retention_days: 36501\n", "retention_days: ever\n"] {
        let found = problems(text);
        assert!(
            found.len() == 1
                && found[0].starts_with("1:17: ")
                && found[0].contains("a whole number of days from 1 to 36500"),
            "{text}: {found:?}"
        );
    }
    assert!(problems("retention_day: 1\n")[0].contains("did you mean `retention_days`?"));
}

#[test]
fn every_problem_is_told_at_its_place() {
    let found = problems(
        "moed: fix\naccount: 12\nguardrails:\n  x: {mode: fixx, modus: 1}\nsources: [{sqs: {}}, {kafka: {}}]\n",
    );
    let expected = ["1:1: ", "2:10: ", "4:", "4:", "5:", "5:"];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    assert!(found[0].contains("did you mean `mode`?"));
}

#[test]
fn a_secret_in_a_wrong_place_is_not_repeated() {
    let found = problems("channels:\n  team: {webhook: {url: [\"https://hooks.example/secret\"]}}\n");
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("secret"), "{}", found[0]);
}
