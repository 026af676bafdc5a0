//! What people read.

use std::fmt::Write as _;

use detection::{Decision, Finding, Severity, finding::TaskToken};
use engine::ports::CallKey;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::channels::Message;

/// Of one line, in characters: names and causes come from outside.
const LINE_LIMIT: usize = 600;
/// Of a playbook's text.
const LINES_LIMIT: usize = 20;
/// Of owners that are named.
const OWNERS_LIMIT: usize = 3;

/// What the caller says; each kind of message has its own of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Said {
    /// One sentence.
    pub(super) text: String,
    pub(super) decision: Option<Decision>,
    pub(super) why: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) person: Option<String>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) at: Option<String>,
    pub(super) until: Option<String>,
    /// Candidates: `[{Name?, Email?, From, Confidence}]`.
    pub(super) owner: Value,
}

/// What a playbook says that has no finding.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Notice {
    /// One line: what happened.
    title: String,
    /// More lines.
    #[serde(default)]
    text: String,
    /// `INFORMATIONAL, LOW, MEDIUM, HIGH` or `CRITICAL`.
    #[serde(default)]
    severity: Option<Severity>,
    /// An id or ARN.
    #[serde(default)]
    resource: Option<String>,
    /// Candidates: `[{Name?, Email?, From, Confidence}]`.
    #[serde(default)]
    owner: Value,
    /// The message is a question, which whoever reads it may answer with this.
    #[serde(default)]
    task_token: Option<TaskToken>,
}

/// Renders what a playbook says; the same state of an execution says the same message.
pub(super) fn render_notice(key: &CallKey, notice: &Notice) -> Message {
    let Notice { title, text, severity, resource, owner, task_token } = notice;
    let severity = json!(severity);
    let mut lines = vec![match severity.as_str() {
        Some(severity) => format!("[{severity}] {}", one_line(title)),
        None => one_line(title),
    }];
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name}{}", one_line(value)));
        }
    };
    line("Resource: ", resource.as_deref().unwrap_or_default());
    text.lines().take(LINES_LIMIT).for_each(|said| line("", said));
    line("Owner: ", &owners(owner));
    if let Some(token) = task_token {
        // Nothing of ours is cut.
        lines.push(format!(
            "Answer: `aws stepfunctions send-task-success --task-token {} --task-output '{{\"Approved\": true}}'`; false, or no answer in time, and nothing is changed",
            token.expose()
        ));
    }
    lines.push(format!("Execution: {} (state `{}`)", one_line(&key.caller), one_line(&key.call)));
    Message {
        kind: if task_token.is_some() { "question" } else { "playbook" }.to_owned(),
        id: id("playbook", key),
        text: lines.join("\n"),
        finding: json!({"title": title, "severity": severity, "resource": resource, "execution": key.caller}),
    }
}

/// Renders a message: what happened, which resource, who did it, what was or will be done, how to take it back.
pub(super) fn render(finding: &Finding, key: &CallKey, kind: &str, said: &Said) -> Message {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{name}{}", one_line(value));
        }
    };
    let severity = json!(finding.severity);
    let what = if said.text.is_empty() { &finding.title } else { &said.text };
    line("", &format!("[{}] {what}", severity.as_str().unwrap_or_default()));
    line("Resource: ", &resource(finding));
    // The sentence mostly says it already.
    let reason = said.reason.as_deref().unwrap_or(&finding.reason);
    line("Reason: ", if what.contains(reason) { "" } else { reason });
    line("Done by: ", &actor(finding).unwrap_or_default());
    line("Owner: ", &owners(&said.owner));
    line("Decision: ", &decision(said));
    line("Error: ", &error(said));
    line("Person: ", said.person.as_deref().unwrap_or_default());
    line("Next: ", &next(finding, kind, said));
    line("Finding: ", &format!("{} ({})", finding.id, finding.guardrail));
    Message {
        kind: kind.to_owned(),
        id: id(&finding.id, key),
        text: text.trim_end().to_owned(),
        finding: summary(finding),
    }
}

fn resource(finding: &Finding) -> String {
    format!("{} ({}) in account {}, {}", finding.resource, finding.resource_type, finding.account, finding.region)
}

fn actor(finding: &Finding) -> Option<String> {
    let occurrence = finding.current()?;
    let actor = occurrence.actor.as_ref()?;
    let name = ["arn", "userName", "invokedBy", "principalId", "type"]
        .iter()
        .find_map(|name| actor.get(name).and_then(Value::as_str))?;
    Some(format!("{name}, {}", occurrence.event_at))
}

fn owners(owner: &Value) -> String {
    let candidates = owner.as_array().map(Vec::as_slice).unwrap_or_default();
    let named = candidates.iter().take(OWNERS_LIMIT).filter_map(|candidate| {
        let text = |name: &str| candidate.get(name).and_then(Value::as_str);
        let who = text("Name").or(text("Email"))?;
        Some(format!("{who} ({})", text("From").unwrap_or("unknown source")))
    });
    named.collect::<Vec<_>>().join(", ")
}

fn decision(said: &Said) -> String {
    let decision = said.decision.map(|decision| match decision {
        Decision::Leave => "leave it alone",
        Decision::Tell => "tell, and change nothing",
        Decision::Ask => "ask a person",
        Decision::Fix => "fix it",
    });
    [decision, said.why.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", as ")
}

fn error(said: &Said) -> String {
    let parts = [said.error.as_deref(), said.cause.as_deref()];
    let mut text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    if let Some(at) = said.at.as_deref().filter(|at| !at.is_empty()) {
        text.push_str(&format!(" (in the state `{at}`)"));
    }
    text
}

fn next(finding: &Finding, kind: &str, said: &Said) -> String {
    let id = &finding.id;
    match kind {
        "noticed" => match said.decision {
            Some(Decision::Fix) => format!("it is being fixed; `rectify findings undo {id}` takes the fix back"),
            Some(Decision::Ask) => "a person is asked before anything is changed".to_owned(),
            _ => format!("nothing is changed; `rectify findings show {id}` tells all of it"),
        },
        "question" => {
            let deadline = finding.question().map(|question| format!(" by {}", question.deadline)).unwrap_or_default();
            format!("`rectify findings approve {id}` lets it be fixed; without an answer{deadline} nothing is changed")
        }
        "fixed" => format!("nothing to do; `rectify findings undo {id}` takes the fix back"),
        "undone" => {
            // Without an end there is nothing to leave alone: the resource is gone.
            let alone = |until| format!("the guardrail leaves the resource alone until {until}");
            said.until.as_deref().map_or_else(|| "nothing to do".to_owned(), alone)
        }
        "resolved" => "nothing to do".to_owned(),
        "denied" => "nothing is changed".to_owned(),
        // `failed`, `not_fixed`, `unsettled`, and what is not known yet.
        _ => format!("a person has to look; `rectify findings show {id}` tells all of it"),
    }
}

/// For programs.
fn summary(finding: &Finding) -> Value {
    let mut summary = finding.view();
    if let Some(summary) = summary.as_object_mut() {
        summary.insert("title".to_owned(), json!(finding.title));
        summary.insert("resource_type".to_owned(), json!(finding.resource_type));
        summary.insert("reason".to_owned(), json!(finding.reason));
        summary.insert("occurrence".to_owned(), json!(finding.occurrence));
        summary.insert("decision".to_owned(), json!(finding.current().and_then(|occurrence| occurrence.decision)));
    }
    summary
}

/// The same for the same call.
fn id(of: &str, key: &CallKey) -> String {
    let mut hash = Sha256::new();
    hash.update(&key.caller);
    hash.update([0]);
    hash.update(&key.call);
    hash.finalize().iter().take(8).fold(format!("{of}-"), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A value from outside, without line breaks and control characters, cut where it is too long.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    match plain.char_indices().nth(LINE_LIMIT) {
        Some((end, _)) => format!("{}…", plain.get(..end).unwrap_or_default()),
        None => plain,
    }
}
