//! All metrics there are: their names, the dashboards that show them, the page that tells of them.

use std::collections::BTreeSet;

use engine::measure::Kind;
use serde_json::Value;

use super::{otlp, *};

const GRAFANA: &str = include_str!("../../../../dashboards/grafana.json");
const DATADOG: &str = include_str!("../../../../dashboards/datadog.json");
const ALERTS: &str = include_str!("../../../../dashboards/prometheus-alerts.yaml");
const PAGE: &str = include_str!("../../../../docs/observing.md");

async fn all() -> Vec<Family> {
    Metrics::of_nothing().families().await
}

/// All texts under a key, however deep.
fn texts<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| texts(value, key, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    value => texts(value, key, found),
                }
            }
        }
        _ => {}
    }
}

/// The words of a query that are names of ours.
fn names(query: &str) -> impl Iterator<Item = &str> {
    query
        .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with("rectify_") || word.starts_with("process_"))
}

/// As Prometheus stores a metric: a histogram is three.
fn stored(family: &Family) -> Vec<String> {
    match family.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", family.name)).into(),
        Kind::Counter | Kind::Gauge => vec![family.name.to_owned()],
    }
}

#[tokio::test]
async fn names_are_as_prometheus_wants_them() {
    let families = all().await;
    let names: BTreeSet<&str> = families.iter().map(|family| family.name).collect();
    assert_eq!(names.len(), families.len(), "each once");
    for Family { name, help, kind, labels, .. } in families {
        assert!(name.starts_with("rectify_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        assert!(kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        assert!(help.ends_with('.') && help.len() > 10, "{name}: {help}");
        for label in labels {
            let bounded =
                ["source", "result", "guardrail", "stage", "type", "status", "queue", "channel", "service", "version"];
            assert!(bounded.contains(label), "{name}: is `{label}` bounded?");
        }
    }
}

#[tokio::test]
async fn dashboards_and_alerts_name_what_there_is() {
    let families = all().await;
    let stored: BTreeSet<String> = families.iter().flat_map(stored).collect();
    let grafana: Value = serde_json::from_str(GRAFANA).unwrap();
    let mut queries = Vec::new();
    texts(&grafana, "expr", &mut queries);
    texts(&grafana, "query", &mut queries);
    let alerts: Vec<&str> = ALERTS.lines().filter(|line| line.trim_start().starts_with("expr:")).collect();
    assert!(queries.len() > 30 && alerts.len() > 5, "{} {}", queries.len(), alerts.len());
    for query in queries.into_iter().chain(alerts) {
        let named: Vec<&str> = names(query).collect();
        assert!(!named.is_empty() || query == "prometheus", "`{query}` names nothing of ours");
        for name in named {
            assert!(stored.contains(name), "`{query}`: there is no `{name}`");
        }
    }
    let pushed: BTreeSet<&str> = families.iter().map(otlp::name).collect();
    let datadog: Value = serde_json::from_str(DATADOG).unwrap();
    let mut queries = Vec::new();
    texts(&datadog, "query", &mut queries);
    assert!(queries.len() > 20, "{}", queries.len());
    for query in queries {
        let named: Vec<&str> = names(query).collect();
        assert!(!named.is_empty(), "`{query}` names nothing of ours");
        for name in named {
            assert!(pushed.contains(name), "`{query}`: there is no `{name}`");
        }
    }
}

#[tokio::test]
async fn every_metric_is_told_of_and_only_those() {
    let families = all().await;
    for Family { name, kind, labels, .. } in &families {
        let kind = format!("{kind:?}").to_lowercase();
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let row = format!("| `{name}` | {kind} | {} |", if labels.is_empty() { "–".into() } else { labels.join(", ") });
        assert!(PAGE.contains(&row), "docs/observing.md has no row that begins with\n{row}");
    }
    let rows = PAGE.lines().filter(|line| line.starts_with("| `rectify_") || line.starts_with("| `process_"));
    assert_eq!(rows.count(), families.len());
}
