//! A strict reader of Prometheus' text format 0.0.4 and of OpenMetrics 1.0: what either does not allow fails the test.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use std::collections::{BTreeMap, BTreeSet};

/// Metrics as they were read: `name{label="value",…}`, labels in their order, and the value.
#[derive(Debug, Default)]
pub struct Exposition {
    /// Every row.
    pub rows: BTreeMap<String, f64>,
    /// The types, by family.
    pub types: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads it; panics at the first thing that is not as it should be.
    pub fn read(text: &str, is_open_metrics: bool) -> Exposition {
        assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line feed, the last one too");
        let text = match is_open_metrics {
            true => text.strip_suffix("# EOF\n").unwrap_or_else(|| panic!("OpenMetrics ends with # EOF")),
            false => text,
        };
        let mut read = Exposition::default();
        let (mut helped, mut family) = (BTreeSet::new(), String::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').unwrap_or_else(|| panic!("a help without a text: {line}"));
                assert!(helped.insert(name.to_owned()), "helped twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.contains(name) && is_name(name), "{line}");
                assert!(read.types.insert(name.to_owned(), kind.to_owned()).is_none(), "typed twice: {line}");
                name.clone_into(&mut family);
            } else {
                read.row(line, &family, is_open_metrics);
            }
        }
        read.check_histograms();
        read
    }

    /// The value of a row, 0 where there is none.
    pub fn value(&self, row: &str) -> f64 {
        self.rows.get(row).copied().unwrap_or_default()
    }

    fn row(&mut self, line: &str, family: &str, is_open_metrics: bool) {
        let (row, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("a row without a value: {line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = row.split_once('{').map_or((row, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("an open brace: {line}")))
        });
        let end = name.strip_prefix(family).unwrap_or_else(|| panic!("outside of its family `{family}`: {line}"));
        let allowed: &[&str] = match (self.types.get(family).map(String::as_str), is_open_metrics) {
            (Some("histogram"), _) => &["_bucket", "_sum", "_count"],
            (Some("counter"), true) => &["_total"],
            (Some(_), _) => &[""],
            (None, _) => &[],
        };
        assert!(allowed.contains(&end) && is_name(name), "{line}");
        check_labels(labels, line);
        assert!(self.rows.insert(row.to_owned(), value).is_none(), "twice: {line}");
    }

    fn check_histograms(&self) {
        for family in self.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(family, _)| family) {
            let start = format!("{family}_bucket{{le=\"");
            let buckets = self.rows.iter().filter_map(|(row, count)| {
                let bound = row.strip_prefix(&start)?.strip_suffix("\"}")?;
                Some((bound.parse::<f64>().unwrap_or_else(|_| panic!("no bound: {row}")), *count))
            });
            let mut buckets: Vec<(f64, f64)> = buckets.collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by_key(|(_, count)| *count), "buckets only grow: {family} {buckets:?}");
            let all = buckets.last().copied();
            assert_eq!(all, Some((f64::INFINITY, self.value(&format!("{family}_count")))), "{family}");
            assert!(self.rows.contains_key(&format!("{family}_sum")), "{family} has no sum");
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |character: char| character.is_ascii_alphabetic() || character == '_' || character == ':';
    name.starts_with(is_letter) && name.chars().all(|character| is_letter(character) || character.is_ascii_digit())
}

/// `name="value",…`, in values only `\\`, `\"` and `\n` escaped.
fn check_labels(labels: &str, line: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && !name.contains(':') && !name.starts_with("__"), "{line}");
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => {
                    let escaped = characters.next().map(|(_, character)| character);
                    assert!(matches!(escaped, Some('\\' | '"' | 'n')), "escaped wrongly: {line}");
                }
                Some((end, '"')) => break end,
                Some(_) => {}
                None => panic!("an open value: {line}"),
            }
        };
        rest = after.get(end + 1..).unwrap_or_default();
        assert!(rest.is_empty() || (rest.starts_with(',') && rest.len() > 1), "{line}");
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}
