//! Definitions as AWS checks them: what it refuses is refused, what only can't be called here is taken.

use asl::{
    Diagnostic, Document, Format, StateMachine,
    diagnostic::invalid_definition,
    parse::{MachineType, parse_as},
};
use serde::Deserialize;

use crate::{App, aws_json::ApiError};

/// `type` of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Type {
    #[default]
    Standard,
    Express,
}

impl From<Type> for MachineType {
    fn from(requested: Type) -> MachineType {
        match requested {
            Type::Standard => MachineType::Standard,
            Type::Express => MachineType::Express,
        }
    }
}

/// The machine of a definition with its warnings, or everything that is wrong with it.
pub fn check(
    app: &App,
    definition: &str,
    machine_type: MachineType,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    let document = Document::parse(definition, Format::Json)?;
    parse_as(&document, &app.resources.as_aws(), machine_type)
}

/// `InvalidDefinition` with AWS's text, where there is something wrong.
pub fn accept(app: &App, definition: &str, machine_type: MachineType) -> Result<(), ApiError> {
    let refused = |problems: Vec<Diagnostic>| ApiError::caller("InvalidDefinition", invalid_definition(&problems));
    check(app, definition, machine_type).map(drop).map_err(refused)
}
