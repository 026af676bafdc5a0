//! Reading a guardrail file, with every problem of it at once.

mod fragment;

use asl::{Diagnostic, Document, parse::Resources};
use query::jsonata::Expression;
use serde::Deserialize;
use serde_json::Value;

use super::{Guardrail, Parameter, Test};
use crate::{
    Severity,
    decide::Risk,
    reader::{Reader, expression_of},
};

/// The longest id: the machine's name is made of it, and may have 80 characters.
const ID_LIMIT: usize = 60;
/// The longest title.
const TITLE_LIMIT: usize = 200;

const KEYS: &[&str] = &[
    "id",
    "title",
    "severity",
    "risk",
    "controls",
    "parameters",
    "resource",
    "event",
    "list",
    "inspect",
    "fix",
    "undo",
    "tests",
];
const REQUIRED: &[&str] = &["id", "title", "severity", "risk", "resource", "event", "list", "inspect", "fix", "undo"];

impl Guardrail {
    /// Reads a guardrail file; tells every problem of it at once, in the order of the text. A guardrail comes with its warnings.
    pub fn parse(
        document: &Document,
        resources: &dyn Resources,
    ) -> Result<(Guardrail, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut reader = Reader::new(document, "the guardrail");
        let guardrail = read(&mut reader, resources);
        match (guardrail, reader.finish()?) {
            (Some(guardrail), warnings) => Ok((guardrail, warnings)),
            (None, warnings) => Err(warnings),
        }
    }
}

/// The guardrail, if all of it could be read; each part is looked at, whatever is wrong with the others.
fn read(reader: &mut Reader<'_>, resources: &dyn Resources) -> Option<Guardrail> {
    reader.object("", KEYS, REQUIRED)?;
    let id = reader.id("/id", ID_LIMIT);
    let title = reader.text("/title", TITLE_LIMIT);
    let severity = reader.one_of::<Severity>("/severity", &["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]);
    let risk = reader.one_of::<Risk>("/risk", &["safe", "disruptive"]);
    let controls = controls(reader);
    let parameters = parameters(reader);
    let resource = resource(reader);
    let pattern = reader.pattern("/event");
    let [list, inspect, fix, undo] =
        ["list", "inspect", "fix", "undo"].map(|name| fragment::read(reader, name, resources));
    let tests = tests(reader);
    let (resource_type, resource_id) = resource?;
    Some(Guardrail {
        id: id?,
        title: title?,
        severity: severity?,
        risk: risk?,
        controls,
        parameters,
        resource_type,
        resource_id,
        pattern: pattern?,
        list: list?,
        inspect: inspect?,
        fix: fix?,
        undo: undo?,
        tests,
    })
}

fn controls(reader: &mut Reader<'_>) -> Vec<String> {
    let Some(value) = reader.value("/controls") else { return Vec::new() };
    match Vec::<String>::deserialize(value) {
        Ok(controls) => controls,
        Err(_) => {
            let help = "write them as `[S3.2, S3.3]`";
            reader.problem("INVALID_VALUE", "/controls", "`controls` has to be an array of texts", Some(help));
            Vec::new()
        }
    }
}

/// `parameters`; a playbook has them, too.
pub(crate) fn parameters(reader: &mut Reader<'_>) -> Vec<Parameter> {
    if reader.value("/parameters").is_none() {
        return Vec::new();
    }
    let Some(named) = reader.any_object("/parameters") else { return Vec::new() };
    let mut parameters = Vec::new();
    for name in named.keys() {
        let pointer = format!("/parameters/{}", asl::document::escape(name));
        let Some(fields) = reader.object(&pointer, &["default", "description"], &["default", "description"]) else {
            continue;
        };
        let default = fields.get("default").cloned().unwrap_or_default();
        let description = reader.text(&format!("{pointer}/description"), usize::MAX).unwrap_or_default();
        parameters.push(Parameter { name: name.clone(), default, description });
    }
    parameters
}

fn resource(reader: &mut Reader<'_>) -> Option<(String, Expression)> {
    reader.object("/resource", &["type", "id"], &["type", "id"])?;
    let kind = reader.text("/resource/type", usize::MAX);
    if let Some(kind) = &kind
        && kind.split("::").filter(|part| !part.is_empty()).count() != 3
    {
        let message = format!("`{kind}` is no CloudFormation type");
        reader.problem("INVALID_VALUE", "/resource/type", message, Some("one is like `AWS::S3::Bucket`"));
    }
    let written = reader.text("/resource/id", usize::MAX)?;
    let Some(expression) = expression_of(&written) else {
        let help = "write `\"{% $event.detail.requestParameters.… %}\"`";
        reader.problem("INVALID_EXPRESSION", "/resource/id", "`id` has to be a JSONata expression", Some(help));
        return None;
    };
    reader.check_expression("/resource/id", &written);
    // In an array nothing is an empty one, and one id and several are alike.
    Some((kind?, Expression::parse(&format!("[({expression})]")).ok()?))
}

fn tests(reader: &mut Reader<'_>) -> Vec<Test> {
    let help = "add a test that makes the misconfiguration in an emulated account";
    let tests = reader.tests(help, |test: &Test| &test.name, check_parameters);
    for (index, value) in reader.value("/tests").and_then(Value::as_array).into_iter().flatten().enumerate() {
        reader.check_expressions(&format!("/tests/{index}"), value);
    }
    tests
}

fn check_parameters(reader: &mut Reader<'_>, pointer: &str, test: &Test) {
    for name in test.parameters.keys() {
        if reader.value("/parameters").and_then(|parameters| parameters.get(name)).is_none() {
            let pointer = format!("{pointer}/parameters/{}", asl::document::escape(name));
            reader.problem("UNKNOWN_KEY", &pointer, format!("the guardrail has no parameter `{name}`"), None);
        }
    }
}
