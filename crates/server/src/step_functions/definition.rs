//! Definitions as AWS checks them: what it refuses is refused, what only can't be called here is taken.

use std::sync::LazyLock;

use asl::{Diagnostic, Document, Format, StateMachine, diagnostic::invalid_definition, parse::parse_as};
use engine::engine::MachineType;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{App, aws_json::ApiError};

/// How many definitions are checked at once; others wait. One may be large, and what else is asked for is not to wait for it.
const AT_ONCE: usize = 4;

static CHECKS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));

/// What a check of a definition gives: the machine with its warnings, or everything that is wrong with it.
pub type Checked = Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>>;

/// Checks a definition.
pub async fn check(app: &App, definition: &str, machine_type: MachineType) -> Result<Checked, ApiError> {
    let resources = app.resources.as_aws();
    let definition = definition.to_owned();
    aside(move || {
        let document = Document::parse(&definition, Format::Json)?;
        parse_as(&document, &resources, machine_type.into())
    })
    .await
}

/// `InvalidDefinition` with AWS's text, where there is something wrong.
pub async fn accept(app: &App, definition: &str, machine_type: MachineType) -> Result<(), ApiError> {
    let refused = |problems: Vec<Diagnostic>| ApiError::caller("InvalidDefinition", invalid_definition(&problems));
    check(app, definition, machine_type).await?.map(drop).map_err(refused)
}

/// Does what may take long on a thread of its own, with no more than so many others.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let failed =
        |error: &dyn std::fmt::Display| ApiError::unavailable(format!("the definition could not be checked: {error}"));
    let _permit = CHECKS.acquire().await.map_err(|error| failed(&error))?;
    spawn_blocking(work).await.map_err(|error| failed(&error))
}
