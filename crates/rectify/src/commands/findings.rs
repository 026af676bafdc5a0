//! `rectify findings …`: what was found, and what is done about it.

mod export;

use std::{fmt::Write as _, process::ExitCode};

use clap::Subcommand;
use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::Problem;
use crate::{
    client::Server,
    output::{self, Format},
};

/// What was found, and what is done about it.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List findings, the newest first
    List {
        /// Only those of this guardrail, or of the rule with this id
        #[arg(long)]
        guardrail: Option<String>,
        /// Only those with this workflow status: NEW, NOTIFIED, RESOLVED, SUPPRESSED
        #[arg(long)]
        status: Option<String>,
        /// Only those at this stage: told, fixing, fixed, failed, undone …
        #[arg(long)]
        stage: Option<String>,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        server: Server,
    },
    /// Write findings in a format of others: ASFF (Security Hub) or OCSF; or all of each as JSON
    Export {
        #[command(flatten)]
        export: export::ExportArguments,
        /// Only those of this guardrail
        #[arg(long)]
        guardrail: Option<String>,
        /// Only those with this workflow status: NEW, NOTIFIED, RESOLVED, SUPPRESSED
        #[arg(long)]
        status: Option<String>,
        /// Only those at this stage: told, fixing, fixed, failed, undone …
        #[arg(long)]
        stage: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Show everything about a finding, its timeline and what was before
    Show {
        /// The finding's id
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        server: Server,
    },
    /// Answer the question that a finding waits with; the resource is then inspected and decided about afresh
    Approve {
        /// The finding's id
        id: String,
        /// Say no: nothing is changed
        #[arg(long)]
        deny: bool,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        server: Server,
    },
    /// Take a fix back, exactly; the guardrail then leaves the resource alone for a while
    Undo {
        /// The finding's id
        id: String,
        /// Until when the guardrail leaves the resource alone: a date or a time (seven days unless said)
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<Timestamp>,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        server: Server,
    },
    /// Say that a rule's finding is dealt with; a guardrail's is resolved by an inspection
    Resolve {
        /// The finding's id
        id: String,
        /// What was done, or why it is nothing
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        server: Server,
    },
    /// Have the guardrail or the rule leave this resource alone until a date
    Except {
        /// The finding's id
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Until when: a date or a time (90 days unless said)
        #[arg(long, value_name = "DATE", value_parser = date)]
        until: Option<Timestamp>,
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        server: Server,
    },
}

/// Who says so: kept on the finding's timeline.
#[derive(clap::Args)]
struct Person {
    /// Who says so
    #[arg(long = "as", value_name = "NAME", env = "USER", default_value = "command line")]
    person: String,
}

const COLUMNS: [&str; 9] =
    ["id", "guardrail", "account", "region", "resource", "severity", "status", "compliance", "stage"];

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    match arguments.action {
        Action::List { guardrail, status, stage, format, server } => {
            output::rows(
                &list(&server, &[("guardrail", guardrail), ("status", status), ("stage", stage)])?,
                &COLUMNS,
                format,
            );
        }
        Action::Export { export, guardrail, status, stage, server } => {
            export::run(&server, vec![("guardrail", guardrail), ("status", status), ("stage", stage)], &export)?;
        }
        Action::Show { id, format, server } => {
            let finding = server.ask("GET", &format!("/api/findings/{}", encode(&id)), None)?;
            match format {
                Format::Table => output::line(&shown(&finding)),
                Format::Json => output::line(&format!("{finding:#}")),
                Format::Jsonl => output::line(&finding.to_string()),
            }
        }
        Action::Approve { id, deny, reason, person, server } => {
            let body = json!({"approved": !deny, "person": person.person, "reason": reason});
            server.ask("POST", &format!("/api/findings/{}/approve", encode(&id)), Some(&body))?;
            // What is approved of is inspected and decided about afresh: an exception, for one, comes before the approval.
            let then = format!("`rectify findings show {id}` tells what becomes of it");
            output::line(&if deny { "said no: nothing is changed".to_owned() } else { format!("approved: {then}") });
        }
        Action::Undo { id, until, person, server } => {
            let body = json!({"person": person.person, "until": until});
            let answer = server.ask("POST", &format!("/api/findings/{}/undo", encode(&id)), Some(&body))?;
            output::line(&format!(
                "the undo has begun: `rectify findings show {id}` tells when it is done ({})",
                answer.get("execution_arn").and_then(Value::as_str).unwrap_or_default()
            ));
        }
        Action::Resolve { id, reason, person, server } => {
            let body = json!({"person": person.person, "reason": reason});
            server.ask("POST", &format!("/api/findings/{}/resolve", encode(&id)), Some(&body))?;
            output::line("resolved: a match from now on is a new occurrence");
        }
        Action::Except { id, reason, until, person, server } => {
            let until = until.unwrap_or_else(|| in_days(90));
            let body = json!({"person": person.person, "reason": reason, "until": until});
            server.ask("POST", &format!("/api/findings/{}/except", encode(&id)), Some(&body))?;
            output::line(&format!("left alone until {until}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All findings, page by page.
fn list(server: &Server, filters: &[(&str, Option<String>)]) -> Result<Vec<Value>, Problem> {
    let mut findings = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let (found, next) = page(server, filters, after.as_deref())?;
        findings.extend(found);
        if next.is_none() {
            return Ok(findings);
        }
        after = next;
    }
}

/// One page of findings, and after which one the next page begins.
fn page(
    server: &Server,
    filters: &[(&str, Option<String>)],
    after: Option<&str>,
) -> Result<(Vec<Value>, Option<String>), Problem> {
    let mut query = String::new();
    let pairs = filters.iter().map(|(name, value)| (*name, value.as_deref())).chain([("after", after)]);
    for (name, value) in pairs.filter_map(|(name, value)| value.map(|value| (name, value))) {
        let _ = write!(query, "{}{name}={}", if query.is_empty() { '?' } else { '&' }, encode(value));
    }
    let page = server.ask("GET", &format!("/api/findings{query}"), None)?;
    let findings = page.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok((findings, page.get("next").and_then(Value::as_str).map(str::to_owned)))
}

/// A finding for people.
fn shown(finding: &Value) -> String {
    let text = |value: &Value, name: &str| match value.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![text(finding, "title")];
    lines.extend(
        COLUMNS.iter().chain(&["reason", "suppressed_until"]).map(|name| format!("  {name:17}{}", text(finding, name))),
    );
    let occurrence = finding.get("occurrences").and_then(Value::as_array).and_then(|occurrences| occurrences.last());
    if let Some(before) = occurrence.and_then(|occurrence| occurrence.get("before")).filter(|before| !before.is_null())
    {
        lines.push("before the fix".to_owned());
        lines.push(format!("  {before:#}").replace('\n', "\n  "));
    }
    if let Some(exported) = finding.pointer("/exports/security_hub") {
        let version = exported.get("exported_version").and_then(Value::as_u64).unwrap_or(0);
        lines.push(format!(
            "  {:17}{}",
            "security_hub",
            match exported.get("error").and_then(Value::as_str) {
                Some(error) => format!(
                    "not taken ({} times, again at {}): {error}",
                    text(exported, "attempts"),
                    text(exported, "due_at")
                ),
                None if version == finding.get("version").and_then(Value::as_u64).unwrap_or(0) =>
                    "up to date".to_owned(),
                None => format!("to be told; it has version {version}"),
            }
        ));
    }
    lines.push("timeline".to_owned());
    let entries = finding.get("timeline").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    lines.extend(entries.iter().map(|entry| {
        let detail = entry
            .get("detail")
            .filter(|detail| !detail.is_null() && **detail != json!({}))
            .map(Value::to_string)
            .unwrap_or_default();
        // Milliseconds are enough for people.
        let at = text(entry, "at").parse::<Timestamp>().map(|at| format!("{at:.3}")).unwrap_or_default();
        format!("  {at}  {:18}{}  {detail}", text(entry, "what"), text(entry, "by"))
    }));
    lines.join("\n")
}

/// `2026-12-24`, or a whole timestamp.
fn date(text: &str) -> Result<Timestamp, String> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .ok()
        .or_else(day)
        .ok_or_else(|| "a date (2026-12-24) or a time (2026-12-24T18:00:00Z) is wanted".to_owned())
}

fn in_days(days: i64) -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(days.saturating_mul(24).hours()).unwrap_or(now)
}

/// A path segment or a query's value.
fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date("2026-12-24").unwrap().to_string(), "2026-12-24T00:00:00Z");
        assert_eq!(date("2026-12-24T18:00:00+01:00").unwrap().to_string(), "2026-12-24T17:00:00Z");
        assert!(date("tomorrow").is_err());
    }
}
