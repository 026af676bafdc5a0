//! ValidateStateMachineDefinition.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html>.

use asl::{Diagnostic, Severity, codes, diagnostic::in_aws_order};
use engine::engine::MachineType;
use serde::{Deserialize, Serialize};

use super::definition;
use crate::{App, aws_json::ApiError};

/// The most diagnostics of an answer, and how many there are unless said.
const MAX_RESULTS: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    definition: String,
    #[serde(default, rename = "type")]
    machine_type: MachineType,
    severity: Option<String>,
    max_results: Option<usize>,
}

#[derive(Serialize)]
pub struct Response {
    result: &'static str,
    diagnostics: Vec<Told>,
    truncated: bool,
}

#[derive(Serialize)]
struct Told {
    severity: Severity,
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

/// Warnings fail no definition. They are told where they are asked for, and of ours only those that AWS has.
pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let (result, problems) = match definition::check(app, &request.definition, request.machine_type).await? {
        Ok((_, warnings)) => ("OK", warnings),
        Err(problems) => ("FAIL", problems),
    };
    let least = match request.severity.as_deref() {
        Some("WARNING") => Severity::Warning,
        _ => Severity::Error,
    };
    let mut told = in_aws_order(&problems, least);
    told.retain(|problem| problem.severity == Severity::Error || codes::is_of_aws(&problem.code));
    let most = request.max_results.filter(|most| *most > 0).unwrap_or(MAX_RESULTS);
    let truncated = told.len() > most;
    let diagnostics = told.into_iter().take(most).map(Told::from).collect();
    Ok(Response { result, diagnostics, truncated })
}

impl From<&Diagnostic> for Told {
    fn from(problem: &Diagnostic) -> Told {
        Told {
            severity: problem.severity,
            code: problem.code.clone(),
            message: problem.aws_message(),
            location: problem.location.clone(),
        }
    }
}
