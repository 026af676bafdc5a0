//! Definitions as AWS checks them: what it refuses is refused, what only can't be called here is taken.

use asl::{Diagnostic, Document, Format, StateMachine, diagnostic::invalid_definition, parse::parse_as};
use engine::engine::MachineType;

use crate::{App, aws_json::ApiError};

/// The machine of a definition with its warnings, or everything that is wrong with it.
pub fn check(
    app: &App,
    definition: &str,
    machine_type: MachineType,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    let document = Document::parse(definition, Format::Json)?;
    parse_as(&document, &app.resources.as_aws(), machine_type.into())
}

/// `InvalidDefinition` with AWS's text, where there is something wrong.
pub fn accept(app: &App, definition: &str, machine_type: MachineType) -> Result<(), ApiError> {
    let refused = |problems: Vec<Diagnostic>| ApiError::caller("InvalidDefinition", invalid_definition(&problems));
    check(app, definition, machine_type).map(drop).map_err(refused)
}
