//! Metrics and traces as OTLP writes them in JSON.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>,
//! <https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto>

use std::time::Duration;

use engine::measure::{Family, Kind, Sample, Value as Measured};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`: all since the process began, as Prometheus counts.
const CUMULATIVE: u64 = 2;

/// Who sends it: OpenTelemetry's resource, `service.name` among its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(pub Vec<(String, String)>);

impl Resource {
    fn json(&self) -> Value {
        json!({"attributes": attributes(self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())))})
    }
}

/// Attributes that are texts.
pub fn attributes<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    pairs.map(|(name, value)| json!({"key": name, "value": {"stringValue": value}})).collect()
}

/// Who measured it.
pub fn scope() -> Value {
    json!({"name": "rectify", "version": env!("CARGO_PKG_VERSION")})
}

/// An `ExportMetricsServiceRequest`. A counter is called without `_total`, which Prometheus adds again; all other names are the same.
pub fn metrics(families: &[Family], resource: &Resource, began: Timestamp, now: Timestamp) -> Value {
    let times = Times { began: nanoseconds(began), now: nanoseconds(now) };
    let metrics: Vec<Value> =
        families.iter().filter(|family| !family.samples.is_empty()).map(|family| metric(family, &times)).collect();
    json!({"resourceMetrics": [{"resource": resource.json(), "scopeMetrics": [{"scope": scope(), "metrics": metrics}]}]})
}

/// An `ExportTraceServiceRequest` of these spans.
pub fn traces(spans: Vec<Value>, resource: &Resource) -> Value {
    json!({"resourceSpans": [{"resource": resource.json(), "scopeSpans": [{"scope": scope(), "spans": spans}]}]})
}

/// As a metric is called in OTLP.
pub fn name(family: &Family) -> &'static str {
    match family.kind {
        Kind::Counter => family.name.trim_end_matches("_total"),
        Kind::Gauge | Kind::Histogram => family.name,
    }
}

/// Nanoseconds since 1970, as text: JSON's numbers are too short for them.
pub fn nanoseconds(time: Timestamp) -> String {
    time.as_nanosecond().to_string()
}

struct Times {
    began: String,
    now: String,
}

fn metric(family: &Family, times: &Times) -> Value {
    let points: Vec<Value> = family.samples.iter().map(|sample| point(family, sample, times)).collect();
    let data = match family.kind {
        Kind::Counter => {
            ("sum", json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}))
        }
        Kind::Gauge => ("gauge", json!({"dataPoints": points})),
        Kind::Histogram => ("histogram", json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points})),
    };
    json!({"name": name(family), "description": family.help, "unit": unit(family), data.0: data.1})
}

/// UCUM's word for the unit that the name ends with.
fn unit(family: &Family) -> &'static str {
    match name(family).rsplit('_').next() {
        Some("seconds") => "s",
        Some("bytes") => "By",
        _ => "1",
    }
}

fn point(family: &Family, sample: &Sample, times: &Times) -> Value {
    let labels = family.labels.iter().copied().zip(sample.labels.iter().map(String::as_str));
    let mut point = Map::new();
    point.insert("attributes".to_owned(), attributes(labels));
    if family.kind != Kind::Gauge {
        point.insert("startTimeUnixNano".to_owned(), json!(times.began));
    }
    point.insert("timeUnixNano".to_owned(), json!(times.now));
    match &sample.value {
        Measured::Natural(number) => drop(point.insert("asInt".to_owned(), json!(number.to_string()))),
        Measured::Time(time) => drop(point.insert("asDouble".to_owned(), json!(time.as_secs_f64()))),
        Measured::Histogram { bounds, counts, sum } => {
            let count: u64 = counts.iter().sum();
            point.insert("count".to_owned(), json!(count.to_string()));
            point.insert("sum".to_owned(), json!(sum.as_secs_f64()));
            let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
            point.insert("bucketCounts".to_owned(), json!(counts));
            point.insert("explicitBounds".to_owned(), bounds.iter().map(Duration::as_secs_f64).collect());
        }
    }
    Value::Object(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_data() {
        let resource = Resource(vec![("service.name".into(), "rectify".into())]);
        let (began, now) = (Timestamp::UNIX_EPOCH, "1970-01-01T00:00:01.5Z".parse().unwrap());
        let family = |name, kind, value| Family {
            name,
            help: "H.",
            kind,
            labels: &["a"],
            samples: vec![Sample { labels: vec!["x".into()], value }],
        };
        let histogram = Measured::Histogram {
            bounds: vec![Duration::from_millis(500)],
            counts: vec![1, 2],
            sum: Duration::from_secs(3),
        };
        let families = [
            family("a_total", Kind::Counter, Measured::Natural(7)),
            family("b_seconds", Kind::Gauge, Measured::Time(Duration::from_millis(1500))),
            family("c_seconds", Kind::Histogram, histogram),
            Family { samples: vec![], ..family("d", Kind::Gauge, Measured::Natural(0)) },
        ];
        let attributes = json!([{"key": "a", "value": {"stringValue": "x"}}]);
        let request = metrics(&families, &resource, began, now);
        let sent = &request["resourceMetrics"][0];
        assert_eq!(
            sent["resource"],
            json!({"attributes": [{"key": "service.name", "value": {"stringValue": "rectify"}}]})
        );
        assert_eq!(
            sent["scopeMetrics"][0]["metrics"],
            json!([
                {"name": "a", "description": "H.", "unit": "1", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
                    {"attributes": attributes, "startTimeUnixNano": "0", "timeUnixNano": "1500000000", "asInt": "7"}]}},
                {"name": "b_seconds", "description": "H.", "unit": "s", "gauge": {"dataPoints": [
                    {"attributes": attributes, "timeUnixNano": "1500000000", "asDouble": 1.5}]}},
                {"name": "c_seconds", "description": "H.", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
                    {"attributes": attributes, "startTimeUnixNano": "0", "timeUnixNano": "1500000000", "count": "3", "sum": 3.0,
                     "bucketCounts": ["1", "2"], "explicitBounds": [0.5]}]}},
            ])
        );
    }
}
