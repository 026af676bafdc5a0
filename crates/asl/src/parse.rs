//! From a document to a state machine, with every problem of it at once.

mod expressions;
mod flow;
mod object;
mod references;
mod resources;
mod scopes;
mod warnings;

use std::collections::{BTreeSet, HashMap, HashSet};

use query::{Language, SyntaxError};
use serde_json::Value;

use crate::{Diagnostic, Document, Severity, Span, StateMachine, diagnostic::Problems, integration::ParameterProblem};
pub(crate) use object::{Allowed, Object, decimal, integer};
pub use resources::{AnyArn, AnyResource, ExpressResources, MachineType, RefusedField, Resources, UnknownResource};

/// What AWS says of a text that is no object.
pub(crate) const NO_OBJECT: &str = "Definition must be a valid JSON object";

/// The longest time in seconds that a definition may name, and the most attempts of a retrier (AWS).
pub(crate) const MAX_NUMBER: u64 = 99_999_999;

/// The code of what is not as the States Language wants it.
pub(crate) const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";

/// The code of an expression in JSONata that can't be parsed.
pub(crate) const INVALID_JSONATA: &str = "INVALID_JSONATA_EXPRESSION";

/// The code of an expression in JSONata that reads what Step Functions does not give.
pub(crate) const UNSUPPORTED_JSONATA: &str = "UNSUPPORTED_JSONATA_EXPRESSION";

/// The code of a transition to nowhere, and of a state that no transition leads to.
pub(crate) const MISSING_TARGET: &str = "MISSING_TRANSITION_TARGET";

const MACHINE: Allowed = Allowed {
    both: &["Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"],
    jsonpath: &[],
    jsonata: &[],
};

const FRAGMENT: Allowed = Allowed { both: &["Comment", "StartAt", "States"], jsonpath: &[], jsonata: &[] };

/// Parses and validates a definition. The machine comes with its warnings; one error, and there is no machine.
pub fn parse(
    document: &Document,
    resources: &dyn Resources,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    Parser::new(document, resources).whole()
}

/// The same of a machine whose states may lead to states that it does not have, those of branches and processors excepted: how
/// a single state is read.
pub fn parse_open(
    document: &Document,
    resources: &dyn Resources,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    Parser { leads_anywhere: true, ..Parser::new(document, resources) }.whole()
}

/// The same for a state machine of this type: Express ones have some things less.
pub fn parse_as(
    document: &Document,
    resources: &dyn Resources,
    machine_type: MachineType,
) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
    match machine_type {
        MachineType::Standard => parse(document, resources),
        MachineType::Express => parse(document, &ExpressResources(resources)),
    }
}

/// The fragment at `pointer` (an object with `StartAt` and `States`) as a flow in JSONata: how a guardrail's parts are read.
/// Pointers and spans are those of the whole document. Gives the warnings, or every problem.
pub fn parse_fragment(
    document: &Document,
    pointer: &str,
    resources: &dyn Resources,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let mut parser = Parser::new(document, resources);
    parser.machine_language = Language::Jsonata;
    match document.value().pointer(pointer) {
        Some(value) => {
            if let Some(object) = parser.object(value, pointer, Language::Jsonata, &FRAGMENT) {
                parser.flow(&object);
            }
        }
        None => parser.problem(SCHEMA, pointer, format!("there is nothing at `{pointer}`"), None),
    }
    parser.finish()
}

fn no_machine() -> Vec<Diagnostic> {
    vec![Diagnostic::error(SCHEMA, NO_OBJECT)]
}

/// What is known while a definition is read, and what was found wrong with it so far.
pub(crate) struct Parser<'a> {
    document: &'a Document,
    resources: &'a dyn Resources,
    machine_language: Language,
    /// Every state's name so far, and the pointer of its state: names are unique in the whole machine.
    names: HashMap<String, String>,
    /// Every Distributed Map's label so far: they are unique too.
    labels: HashSet<String>,
    /// The state whose language was refused last: AWS does not tell of its fields, which belong to another language.
    downgraded: Option<String>,
    /// Whether it is to be an Express state machine.
    pub(crate) express: bool,
    /// The states of the next flow may lead to states that are not there.
    leads_anywhere: bool,
    problems: Problems,
}

impl<'a> Parser<'a> {
    fn new(document: &'a Document, resources: &'a dyn Resources) -> Parser<'a> {
        Parser {
            document,
            resources,
            machine_language: Language::JsonPath,
            names: HashMap::new(),
            labels: HashSet::new(),
            downgraded: None,
            express: resources.is_express(),
            leads_anywhere: false,
            problems: Problems::default(),
        }
    }

    fn whole(mut self) -> Result<(StateMachine, Vec<Diagnostic>), Vec<Diagnostic>> {
        let machine = self.machine();
        let diagnostics = self.finish()?;
        machine.map(|machine| (machine, diagnostics)).ok_or_else(no_machine)
    }

    /// The warnings if there are but warnings, else all problems, in the order of the text.
    fn finish(self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let problems = self.problems.into_sorted();
        let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
        if problems.iter().any(is_error) { Err(problems) } else { Ok(problems) }
    }

    fn machine(&mut self) -> Option<StateMachine> {
        let value = self.document.value();
        if !value.is_object() {
            self.placeless_problem(SCHEMA, "", NO_OBJECT, None);
            return None;
        }
        let object = self.object(value, "", Language::JsonPath, &MACHINE)?;
        self.machine_language = self.query_language(&object).unwrap_or_default();
        if let Some(version) = self.text(&object, "Version").filter(|version| version != "1.0") {
            self.problem(SCHEMA, object.at("Version"), format!("there is no version `{version}`, only `1.0`"), None);
        }
        self.scopes(value, "", &BTreeSet::new());
        Some(StateMachine {
            comment: self.text(&object, "Comment"),
            query_language: self.machine_language,
            // AWS takes 0 here, and no limit is what it means.
            timeout_seconds: self.integer(&object, "TimeoutSeconds", 0, MAX_NUMBER).filter(|seconds| *seconds > 0),
            flow: self.flow(&object)?,
        })
    }

    /// `QueryLanguage` where an object says it. As at AWS, what is not exactly `JSONPath` is JSONata, and refused besides.
    pub(crate) fn query_language(&mut self, object: &Object<'_>) -> Option<Language> {
        let value = object.get("QueryLanguage")?;
        match self.one_of(object, "QueryLanguage", &["JSONPath", "JSONata"]) {
            Some("JSONPath") => Some(Language::JsonPath),
            _ if value.is_null() => None,
            _ => Some(Language::Jsonata),
        }
    }

    /// The language of a state: its own, else the machine's. A machine in JSONata has no states in JSONPath.
    pub(crate) fn state_language(&mut self, value: &Value, pointer: &str) -> Language {
        match (value.get("QueryLanguage").map(Value::as_str), self.machine_language) {
            (None, language) => language,
            (Some(Some("JSONPath")), Language::Jsonata) => {
                let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
                let help = "let the machine be JSONPath, and set `QueryLanguage` to `JSONata` in each state that is";
                self.problem(SCHEMA, pointer, message, Some(help.to_owned()));
                self.downgraded = Some(pointer.to_owned());
                Language::JsonPath
            }
            (Some(Some("JSONPath")), Language::JsonPath) => Language::JsonPath,
            (Some(_), _) => Language::Jsonata,
        }
    }

    /// Asks the caller's [`Resources`] about the fields of a Task's parameters. AWS names the place of the parameters, and not of the
    /// field in them.
    pub(crate) fn parameter_fields(&mut self, object: &Object<'_>, resource: &str) {
        let field = match object.language {
            Language::JsonPath => "Parameters",
            Language::Jsonata => "Arguments",
        };
        let Some(parameters) = object.get(field).filter(|_| !self.problems.is_full_of_errors()) else { return };
        let parameters_at = object.at(field);
        let location = self.document.location(&parameters_at);
        for RefusedField { pointer, name, help } in self.resources.refused_fields(resource, parameters, object.language)
        {
            let pointer = format!("{parameters_at}{pointer}");
            let span = self.document.key_span(&pointer);
            let message = ParameterProblem::Unsupported(name).to_string();
            let problem = Diagnostic { help, ..Diagnostic::error(SCHEMA, message) };
            self.problems.push(problem.with_location(location.clone()).at(pointer, span));
        }
    }

    /// Whether what AWS has is taken, though this program does not have it.
    pub(crate) fn is_as_aws(&self) -> bool {
        self.resources.is_as_aws()
    }

    /// Asks the caller's [`Resources`].
    pub(crate) fn resource(&mut self, object: &Object<'_>) -> Option<String> {
        let resource = self.text(object, "Resource")?;
        if let Err(UnknownResource { message, help }) = self.resources.check(&resource) {
            self.problem(SCHEMA, object.at("Resource"), message, help);
        }
        Some(resource)
    }

    /// Notes a state's name; a second state of that name is a problem. A state whose name is too long is not looked at: its
    /// pointer would be in every problem.
    pub(crate) fn name(&mut self, name: &str, pointer: &str) -> bool {
        let length = name.chars().count();
        if length > 80 {
            let message = format!("the state's name has {length} characters, 80 are allowed");
            self.key_problem(
                "INVALID_STATE_NAME",
                pointer,
                message,
                Some("shorten it, and keep the long text in `Comment`".into()),
            );
        } else if name.is_empty() {
            self.key_problem("INVALID_STATE_NAME", pointer, "a state's name can't be empty", None);
        }
        match self.names.get(name) {
            Some(first) => {
                let line = self.document.key_span(first).line;
                let message = format!("Duplicate State name: {name}");
                let help =
                    format!("names are unique in the whole machine, and there is one of that name on line {line}");
                self.key_problem("DUPLICATE_STATE_NAME", pointer, message, Some(help));
            }
            None => {
                self.names.insert(name.to_owned(), pointer.to_owned());
            }
        }
        length <= 80
    }

    /// Notes a Distributed Map's label.
    pub(crate) fn label(&mut self, label: &str, pointer: String) {
        if label.chars().count() > 40 {
            self.problem("INVALID_LABEL_NAME", pointer, "a label has at most 40 characters", None);
        } else if !self.labels.insert(label.to_owned()) {
            self.problem("DUPLICATE_LABEL_NAME", pointer, format!("there is another label `{label}`"), None);
        }
    }

    /// Notes an error at the value that `pointer` names.
    pub(crate) fn problem(
        &mut self,
        code: &str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let pointer = pointer.into();
        let span = self.document.span(&pointer);
        self.note(Diagnostic { help, ..Diagnostic::error(code, message).at(pointer, span) });
    }

    /// Notes an error at the key of the value that `pointer` names.
    pub(crate) fn key_problem(&mut self, code: &str, pointer: &str, message: impl Into<String>, help: Option<String>) {
        let span = self.document.key_span(pointer);
        self.note(Diagnostic { help, ..Diagnostic::error(code, message).at(pointer, span) });
    }

    /// Notes an error in a field that AWS tells of the object around it.
    pub(crate) fn field_problem(
        &mut self,
        object: &Object<'_>,
        field: &str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let pointer = object.at(field);
        let span = self.document.key_span(&pointer);
        let location = self.document.location(&object.pointer);
        let problem = Diagnostic::error(SCHEMA, message).at(pointer, span).with_location(location);
        self.problems.push(Diagnostic { help, ..problem });
    }

    /// Notes an error for which AWS names no place.
    pub(crate) fn placeless_problem(&mut self, code: &str, pointer: &str, message: &str, help: Option<String>) {
        let span = self.document.key_span(pointer);
        self.problems.push(Diagnostic { help, ..Diagnostic::error(code, message).at(pointer, span) });
    }

    fn note(&mut self, problem: Diagnostic) {
        if self.problems.is_full() {
            return self.problems.push(problem);
        }
        let location = self.document.location(&problem.pointer);
        self.problems.push(problem.with_location(location));
    }

    /// Notes what works, but not as its author thinks.
    pub(crate) fn warning(&mut self, code: &str, pointer: &str, message: impl Into<String>, help: impl Into<String>) {
        let warning = Diagnostic::error(code, message).with_help(help).at(pointer, self.document.span(pointer));
        self.note(Diagnostic { severity: Severity::Warning, ..warning });
    }

    /// Notes an error in an expression: where it is in the text, and where AWS says that it is.
    pub(crate) fn expression_problem(&mut self, code: &str, places: (&str, &str), span: Span, error: SyntaxError) {
        let (pointer, told_of) = places;
        let location = self.document.location(told_of);
        let message = error.message.trim_end().to_owned();
        // Some details end in a blank, where they list what was expected.
        let help = error.detail.map(|detail| detail.trim_end().to_owned());
        let problem = Diagnostic::error(code, message).at(pointer, span).with_location(location);
        self.problems.push(Diagnostic { help, ..problem });
    }

    /// The place of an error in the string at `pointer`; `skipped` bytes stand before the expression in it.
    pub(crate) fn expression_span(&self, pointer: &str, skipped: usize, offset: Option<usize>) -> Span {
        match offset {
            Some(offset) => self.document.span_inside(pointer, offset.saturating_add(skipped)),
            None => self.document.span(pointer),
        }
    }
}

#[cfg(test)]
mod tests;
