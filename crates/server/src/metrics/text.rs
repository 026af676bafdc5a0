//! Metrics as text: Prometheus' format 0.0.4, and OpenMetrics 1.0 for those who ask for it.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use std::{fmt::Write as _, time::Duration};

use engine::measure::{Family, Kind, Sample, Value};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 0.0.4.
    Prometheus,
    /// 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The one that an `Accept` header asks for: OpenMetrics where that is named and not refused, else Prometheus' own.
    pub fn of_accept(accept: &str) -> Format {
        let named = accept.split(',').map(str::trim).find(|range| range.starts_with("application/openmetrics-text"));
        let is_refused = |range: &str| range.split(';').any(|part| matches!(part.trim(), "q=0" | "q=0.0"));
        match named {
            Some(range) if !is_refused(range) => Format::OpenMetrics,
            _ => Format::Prometheus,
        }
    }

    /// Its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All of it.
pub fn write(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        // A String takes all that is written to it.
        let _ = write_family(&mut text, family, format);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_family(text: &mut String, family: &Family, format: Format) -> std::fmt::Result {
    let (kind, name) = match (family.kind, format) {
        (Kind::Counter, Format::OpenMetrics) => ("counter", family.name.trim_end_matches("_total")),
        (Kind::Counter, Format::Prometheus) => ("counter", family.name),
        (Kind::Gauge, _) => ("gauge", family.name),
        (Kind::Histogram, _) => ("histogram", family.name),
    };
    writeln!(text, "# HELP {name} {}", escape(family.help))?;
    writeln!(text, "# TYPE {name} {kind}")?;
    family.samples.iter().try_for_each(|sample| write_sample(text, family, sample))
}

fn write_sample(text: &mut String, family: &Family, sample: &Sample) -> std::fmt::Result {
    let name = family.name;
    let labels: Vec<String> =
        family.labels.iter().zip(&sample.labels).map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    match &sample.value {
        Value::Natural(number) => writeln!(text, "{name}{} {number}", braced(&labels, None)),
        Value::Time(time) => writeln!(text, "{name}{} {}", braced(&labels, None), seconds(*time)),
        Value::Histogram { bounds, counts, sum } => {
            let mut below: u64 = 0;
            let bounds = bounds.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
            for (bound, count) in bounds.zip(counts) {
                below = below.saturating_add(*count);
                writeln!(text, "{name}_bucket{} {below}", braced(&labels, Some(&bound)))?;
            }
            writeln!(text, "{name}_sum{} {}", braced(&labels, None), seconds(*sum))?;
            writeln!(text, "{name}_count{} {below}", braced(&labels, None))
        }
    }
}

/// The labels in braces, with `le` behind them; nothing where there are none.
fn braced(labels: &[String], bound: Option<&str>) -> String {
    let all: Vec<String> = labels.iter().cloned().chain(bound.map(|bound| format!("le=\"{bound}\""))).collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

/// Seconds as a number with a point, as OpenMetrics wants the bounds of buckets.
fn seconds(time: Duration) -> String {
    format!("{:?}", time.as_secs_f64())
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> [Family; 2] {
        let histogram = Value::Histogram {
            bounds: vec![Duration::from_micros(500), Duration::from_secs(1)],
            counts: vec![2, 0, 1],
            sum: Duration::from_millis(2500),
        };
        [
            Family {
                name: "a_total",
                help: "A.",
                kind: Kind::Counter,
                labels: &["x", "y"],
                samples: vec![Sample { labels: vec!["q\"\\\n".into(), "z".into()], value: Value::Natural(3) }],
            },
            Family {
                name: "b_seconds",
                help: "B.",
                kind: Kind::Histogram,
                labels: &[],
                samples: vec![Sample { labels: vec![], value: histogram }],
            },
        ]
    }

    const HISTOGRAM: &str = "# HELP b_seconds B.\n# TYPE b_seconds histogram\nb_seconds_bucket{le=\"0.0005\"} 2\n\
        b_seconds_bucket{le=\"1.0\"} 2\nb_seconds_bucket{le=\"+Inf\"} 3\nb_seconds_sum 2.5\nb_seconds_count 3\n";

    #[test]
    fn both_formats() {
        let counter = "a_total{x=\"q\\\"\\\\\\n\",y=\"z\"} 3\n";
        assert_eq!(
            write(&families(), Format::Prometheus),
            format!("# HELP a_total A.\n# TYPE a_total counter\n{counter}{HISTOGRAM}")
        );
        assert_eq!(
            write(&families(), Format::OpenMetrics),
            format!("# HELP a A.\n# TYPE a counter\n{counter}{HISTOGRAM}# EOF\n")
        );
    }

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let check = |accept: &str, expected: Format| assert_eq!(Format::of_accept(accept), expected, "{accept}");
        check("", Format::Prometheus);
        check("text/plain", Format::Prometheus);
        check("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", Format::OpenMetrics);
        check("application/openmetrics-text;q=0, text/plain", Format::Prometheus);
    }
}
