//! Findings, for the command line: list, show, approve, undo, except, resolve.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use detection::{Finding, FindingInput, Stage, WorkflowStatus, decide::Exception};
use engine::{
    engine::Refusal,
    ports::{ApplyError, CallKey, FindingFilter},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{App, aws_json::ApiError};

/// How many findings one page holds at most.
const LARGEST_PAGE: usize = 1000;

/// Which findings are listed.
#[derive(Deserialize)]
pub struct Listing {
    guardrail: Option<String>,
    status: Option<WorkflowStatus>,
    stage: Option<Stage>,
    after: Option<String>,
    limit: Option<usize>,
    format: Option<ExportFormat>,
}

/// How each finding is written; unless said, as one line of a list.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExportFormat {
    /// The AWS Security Finding Format.
    Asff,
    /// OCSF's Detection Finding.
    Ocsf,
    /// All of it, as it is shown.
    Json,
}

/// `GET /api/findings`: `{findings: […], next?}`, the newest first; `next` is the `after` of the next page. `format=asff|ocsf|json` has each
/// whole, in that format.
pub async fn list(
    State(app): State<App>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(listing) = listing.map_err(|rejection| ApiError::validation(rejection.body_text()))?;
    let limit = listing.limit.unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE);
    let filter = FindingFilter { guardrail: listing.guardrail, status: listing.status, stage: listing.stage };
    let findings = app.engine.findings().findings(&filter, listing.after.as_deref(), limit).await?;
    let next = (findings.len() == limit).then(|| findings.last().map(|finding| finding.id.clone())).flatten();
    let controls = app.registry.controls();
    let written = |finding: &Finding| {
        let controls = controls.get(&finding.guardrail).map(Vec::as_slice).unwrap_or_default();
        match listing.format {
            None => finding.view(),
            Some(ExportFormat::Asff) => finding.asff(controls),
            Some(ExportFormat::Ocsf) => finding.ocsf(controls),
            Some(ExportFormat::Json) => finding.show(),
        }
    };
    let views: Vec<Value> = findings.iter().map(written).collect();
    Ok(Json(json!({"findings": views, "next": next})))
}

/// `GET /api/findings/{id}`: everything about one, its timeline and what `Before` was; where findings are exported, how that stands:
/// `exports: {security_hub: {exported_version, attempts, error?, due_at?}}`.
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let mut shown = find(&app, &id).await?.show();
    if let (Some(exports), Some(shown)) = (&app.exports, shown.as_object_mut()) {
        let standing = exports.export_standing(&id).await?;
        let standing = json!({
            "exported_version": standing.exported_version, "attempts": standing.attempts,
            "error": standing.error, "due_at": standing.due_at,
        });
        shown.insert("exports".to_owned(), json!({"security_hub": standing}));
    }
    Ok(Json(shown))
}

/// A person's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[serde(default = "yes")]
    approved: bool,
    person: String,
    reason: Option<String>,
}

fn yes() -> bool {
    true
}

/// `POST /api/findings/{id}/approve`: answers the question that the finding waits with.
pub async fn approve(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let approval: Approval = crate::aws_json::request(&body)?;
    let finding = find(&app, &id).await?;
    let question = finding.question().ok_or_else(|| {
        conflict(format!("the finding `{id}` waits for nobody's approval: its stage is {}", text(&finding.stage)))
    })?;
    let answer = json!({"Approved": approval.approved, "Person": approval.person, "Reason": approval.reason});
    app.engine.send_task_success(question.task_token.expose(), answer).await.map_err(|refusal| match refusal {
        Refusal::TaskTimedOut(_) | Refusal::TaskDoesNotExist(_) | Refusal::InvalidToken(_) => {
            conflict(format!("the question of the finding `{id}` was answered already, or its time is over"))
        }
        other => other.into(),
    })?;
    Ok(Json(json!({"id": id, "approved": approval.approved})))
}

/// A person wants a fix taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    person: String,
    until: Option<Timestamp>,
}

/// `POST /api/findings/{id}/undo`: starts the undo; `{id, execution_arn}`. The finding's timeline tells when it is done.
pub async fn undo(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let undo: Undo = crate::aws_json::request(&body)?;
    let finding = find(&app, &id).await?;
    if finding.rule.is_some() {
        return Err(conflict(format!(
            "the finding `{id}` is a rule's: nothing of it was fixed, so there is nothing to take back; `rectify findings resolve {id}` says that it is dealt with"
        )));
    }
    let machine =
        app.registry.machine_of(&app.engine, &finding.region, &finding.guardrail).await?.ok_or_else(|| {
            conflict(format!(
                "the guardrail `{}` is not there any more: put its file back to undo what it did",
                finding.guardrail
            ))
        })?;
    let input = FindingInput::UndoAsked { person: undo.person.clone(), until: undo.until };
    let answer = say(&app, &finding, "undo", &input, &undo.person).await?;
    let name = answer.get("ExecutionName").and_then(Value::as_str).unwrap_or_default();
    let input = answer.get("Input").map(Value::to_string).unwrap_or_default();
    let execution = app.engine.start_response(&machine, name, &input, &id).await?;
    Ok(Json(json!({"id": id, "execution_arn": execution.arn})))
}

/// Something to leave alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Except {
    person: String,
    reason: String,
    until: Timestamp,
}

/// `POST /api/findings/{id}/except`: the guardrail or rule leaves this resource alone from now on, until a date. A rule's finding is
/// suppressed at once; a guardrail's by its next response.
pub async fn except(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let except: Except = crate::aws_json::request(&body)?;
    if except.until <= Timestamp::now() {
        return Err(ApiError::validation(format!(
            "`until` is {}, which is over: an exception ends in the future",
            except.until
        )));
    }
    if except.reason.trim().is_empty() {
        return Err(ApiError::validation("`reason` is empty: an exception says why"));
    }
    let finding = find(&app, &id).await?;
    let exception = Exception {
        guardrail: Some(finding.guardrail.clone()),
        resource: Some(finding.resource.clone()),
        account: Some(finding.account.clone()),
        reason: except.reason,
        author: except.person,
        until: except.until,
    };
    say(&app, &finding, "except", &FindingInput::Excepted { exception: exception.clone() }, &exception.author).await?;
    if finding.rule.is_some() {
        let Exception { author: person, reason, until, .. } = exception.clone();
        say(&app, &finding, "suppress", &FindingInput::Suppress { person, reason, until }, &exception.author).await?;
    }
    Ok(Json(json!(exception)))
}

/// A person says that a rule's finding is dealt with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    person: String,
    #[serde(default)]
    reason: String,
}

/// `POST /api/findings/{id}/resolve`: a rule's finding is RESOLVED; the next match is a new occurrence. A guardrail's is refused: an
/// inspection resolves it.
pub async fn resolve(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, ApiError> {
    let Resolve { person, reason } = crate::aws_json::request(&body)?;
    let finding = find(&app, &id).await?;
    let input = FindingInput::Resolve { person: person.clone(), reason };
    say(&app, &finding, "resolve", &input, &person).await?;
    Ok(Json(find(&app, &id).await?.view()))
}

/// Changes a finding in a person's name.
async fn say(app: &App, finding: &Finding, what: &str, input: &FindingInput, person: &str) -> Result<Value, ApiError> {
    let key = CallKey { caller: person.to_owned(), call: format!("{what} {}", uuid::Uuid::new_v4()) };
    let settings = app.registry.settings_of(&finding.guardrail);
    app.engine.findings().apply(&finding.id, &key, input, &settings).await.map_err(refusal)
}

async fn find(app: &App, id: &str) -> Result<Finding, ApiError> {
    app.engine.findings().finding(id).await?.ok_or_else(|| no_such_finding(id))
}

fn no_such_finding(id: &str) -> ApiError {
    ApiError {
        status: StatusCode::NOT_FOUND,
        code: "ResourceNotFoundException".to_owned(),
        message: format!("there is no finding `{id}`: `rectify findings list` shows those there are"),
    }
}

fn conflict(message: String) -> ApiError {
    ApiError { status: StatusCode::CONFLICT, code: "ConflictException".to_owned(), message }
}

fn refusal(error: ApplyError) -> ApiError {
    match error {
        ApplyError::NoSuchFinding(id) => no_such_finding(&id),
        ApplyError::Illegal(illegal) => conflict(illegal.to_string()),
        ApplyError::Store(error) => error.into(),
    }
}

/// A stage as it is written.
fn text(stage: &Stage) -> String {
    json!(stage).as_str().unwrap_or_default().to_owned()
}
