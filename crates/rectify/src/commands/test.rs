//! `rectify test [GUARDRAILS…]`: their tests in an emulated account.

use std::process::ExitCode;

use aws::Aws;
use integrations::{KnownResources, guardrail_test};

use super::Problem;
use crate::{configuration::unknown, content, diagnostics, output, start};

/// Run the tests of guardrails in an emulated account.
///
/// The account is where AWS_ENDPOINT_URL points: a loopback address, for instance `moto_server`. Real AWS is refused.
/// Exit status: 0 all passed, 1 some failed, 2 they can't be run.
#[derive(clap::Args)]
pub struct Arguments {
    /// Ids of guardrails, or files; all where none is named
    guardrails: Vec<String>,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    start::runtime().map_err(Problem::new)?.block_on(test(arguments))
}

async fn test(arguments: Arguments) -> Result<ExitCode, Problem> {
    let aws = Aws::from_environment().await;
    guardrail_test::refuse_real_aws(&aws).map_err(Problem::new)?;
    let mut failed = 0;
    let mut passed = 0;
    for guardrail in chosen(&arguments.guardrails, &KnownResources::new(aws.clone()))? {
        for outcome in guardrail_test::run(&guardrail, &aws).await {
            match outcome.failure {
                None => {
                    passed += 1;
                    output::line(&format!("ok      {}: {}", guardrail.id, outcome.name));
                }
                Some(failure) => {
                    failed += 1;
                    output::line(&format!("FAILED  {}: {}\n        {failure}", guardrail.id, outcome.name));
                }
            }
        }
    }
    output::line(&format!("{passed} passed, {failed} failed"));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The guardrails that are named, by id or by file.
fn chosen(names: &[String], resources: &KnownResources) -> Result<Vec<detection::Guardrail>, Problem> {
    let (carried, _) = content::guardrails(None, resources).map_err(Problem)?;
    let mut carried: Vec<_> = carried.into_iter().map(|file| file.guardrail).collect();
    if names.is_empty() {
        return Ok(carried);
    }
    let mut guardrails = Vec::new();
    for name in names {
        if let Some(at) = carried.iter().position(|guardrail| guardrail.id == *name) {
            guardrails.push(carried.remove(at));
            continue;
        }
        let text = std::fs::read_to_string(name).map_err(|error| {
            Problem(format!(
                "{}, and no file of that name can be read: {error}",
                unknown("there is no guardrail", name, carried.iter().map(|guardrail| guardrail.id.as_str()))
            ))
        })?;
        guardrails.push(
            content::parse(&text, resources)
                .map_err(|problems| Problem(diagnostics::render(name, &text, &problems)))?,
        );
    }
    Ok(guardrails)
}
