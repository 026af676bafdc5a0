//! `rectify backtest [--rules DIR] FILES|FOLDERS…`: what would have fired on past events.

mod reader;
mod rules;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use detection::{Event, source::Received};
use jiff::Timestamp;
use serde_json::{Value, json};
use server::intake::UNKNOWN_ACCOUNT;

use super::Problem;
use crate::{
    content,
    output::{self, Format},
};
use rules::Rules;

/// Tell what would have fired on past events; nothing is touched.
///
/// Reads CloudTrail log files, EventBridge envelopes, what sources recognise, and JSON Lines of these, gzipped or not.
/// Exit status: 0 all was read, 1 an event or a rule could not be (it is told), 2 nothing could be done.
#[derive(clap::Args)]
pub struct Arguments {
    /// Files, and folders of files
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// A folder of further rules: event patterns, guardrails and Sigma rules for AWS CloudTrail (.json, .yaml, .yml)
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    events: u64,
    unreadable: u64,
    fired: BTreeMap<String, Fired>,
}

/// How often a rule fired.
#[derive(Default)]
struct Fired {
    title: String,
    severity: String,
    events: u64,
    resources: std::collections::BTreeSet<String>,
    first: String,
    last: String,
}

/// How many resources a rule's line counts one by one.
const RESOURCES_COUNTED: usize = 100_000;
/// The Region of documents that say none.
const REGION: &str = "us-east-1";

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let rules = Rules::load(arguments.rules.as_deref())?;
    for told in rules.passed_over.iter().chain(&rules.refused) {
        output::problem(told);
    }
    let (sources, _) = content::sources(None).map_err(Problem)?;
    // Of documents that say neither account nor Region.
    let received = Received { at: Timestamp::now(), account: UNKNOWN_ACCOUNT.to_owned(), region: REGION.to_owned() };
    let mut seen = Seen::default();
    let mut hits = Vec::new();
    let files = reader::files(&arguments.paths)?;
    for file in &files {
        let read = |part: reader::Part| match part {
            reader::Part::Unreadable { at, reason } => {
                seen.unreadable += 1;
                output::problem(&format!("{at}: {reason}"));
            }
            reader::Part::Event(event) => {
                seen.events += 1;
                for hit in rules.hits(&event) {
                    seen.count(&event, &hit);
                    match arguments.format {
                        Format::Jsonl => output::line(&hit.to_string()),
                        Format::Json => hits.push(hit),
                        Format::Table => {}
                    }
                }
            }
        };
        reader::read(file, &sources, &received, read);
    }
    match arguments.format {
        Format::Jsonl => {}
        Format::Json => output::rows(&hits, &[], Format::Json),
        Format::Table => output::rows(
            &seen.rows(),
            &["rule", "severity", "events", "resources", "first", "last", "title"],
            Format::Table,
        ),
    }
    output::problem(&format!("{} events of {} files, {} could not be read", seen.events, files.len(), seen.unreadable));
    if !rules.refused.is_empty() {
        output::problem(&format!("{} files of rules could not be used", rules.refused.len()));
    }
    Ok(if seen.unreadable == 0 && rules.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Seen {
    fn count(&mut self, event: &Event, hit: &Value) {
        let text = |name: &str| hit.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fired = self.fired.entry(text("rule")).or_default();
        let time = event.time.to_string();
        if fired.events == 0 {
            *fired = Fired {
                title: text("title"),
                severity: text("severity"),
                first: time.clone(),
                last: time.clone(),
                ..Fired::default()
            };
        }
        fired.events += 1;
        fired.first = fired.first.clone().min(time.clone());
        fired.last = fired.last.clone().max(time);
        if fired.resources.len() < RESOURCES_COUNTED {
            fired.resources.insert(text("resource"));
        }
    }

    fn rows(&self) -> Vec<Value> {
        let row = |(rule, fired): (&String, &Fired)| json!({"rule": rule, "severity": fired.severity, "events": fired.events, "resources": fired.resources.len(), "first": fired.first, "last": fired.last, "title": fired.title});
        self.fired.iter().map(row).collect()
    }
}
