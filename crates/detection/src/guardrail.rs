//! A guardrail: one misconfiguration, how it is noticed, inspected, fixed and undone; and its compiler.

use asl::{Diagnostic, Document};
use query::jsonata::Expression;
use serde_json::{Map, Value};

use crate::{Event, EventPattern, Severity, Sighting, decide::Risk};

/// A guardrail file, parsed.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// `id`.
    pub id: String,
    /// `title`.
    pub title: String,
    /// `severity`.
    pub severity: Severity,
    /// `risk`.
    pub risk: Risk,
    /// `controls`: Security Hub's.
    pub controls: Vec<String>,
    /// `parameters`: name → (default, description).
    pub parameters: Vec<Parameter>,
    /// `resource.type`: CloudFormation's.
    pub resource_type: String,
    /// `resource.id`: sees `$event`; a string, or an array of them.
    pub resource_id: Expression,
    /// `event`.
    pub pattern: EventPattern,
    /// `list`, as written.
    pub list: Value,
    /// `inspect`, as written.
    pub inspect: Value,
    /// `fix`, as written.
    pub fix: Value,
    /// `undo`, as written.
    pub undo: Value,
    /// `tests`, as written.
    pub tests: Vec<Test>,
}

/// A parameter of a guardrail.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value unless set.
    pub default: Value,
    /// What it does.
    pub description: String,
}

/// A test of a guardrail.
#[derive(Clone, Debug)]
pub struct Test {
    /// `name`.
    pub name: String,
    /// `arrange`: AWS calls that make the misconfiguration, `{service, action, parameters, as?}` each.
    pub arrange: Vec<Value>,
    /// `event`: the event as AWS sends it.
    pub event: Value,
    /// The whole test, for what else it says.
    pub source: Value,
}

/// What the compiler has to know beside the guardrail.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// The guardrail's parameters as they are set, [`Settings::parameters`](crate::Settings): a literal of the machine. Those that
    /// are not in it have their defaults.
    pub parameters: Map<String, Value>,
    /// The role that fragments' tasks assume, per account: compiled in only where accounts are reached by role.
    pub role_arn_expression: Option<String>,
}

impl Guardrail {
    /// Reads a guardrail file; tells every problem of it at once.
    pub fn parse(
        _document: &Document,
        _resources: &dyn asl::parse::Resources,
    ) -> Result<(Guardrail, Vec<Diagnostic>), Vec<Diagnostic>> {
        todo!()
    }

    /// The resources that an event names, as sightings.
    pub fn sightings(&self, _event: &Event) -> Result<Vec<Sighting>, query::Error> {
        todo!()
    }

    /// The state machine: its definition in ASL, `FunctionName: ${function.NAME}` still to be filled in.
    pub fn compile(&self, _options: &CompileOptions) -> Value {
        todo!()
    }
}
