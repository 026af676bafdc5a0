//! From a document to the events that a source makes of it.

use std::fmt::Write as _;

use query::{Moment, Scope, jsonata::Expression};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{DOCUMENT_LIMIT_BYTES, FIELDS, Field, Located, PARTS_LIMIT, Received, Source, Unmapped};
use crate::{Event, event};

/// How many bytes of a hash an id is made of.
const ID_BYTES: usize = 16;

impl Source {
    /// Whether a document is this source's own. Without a pattern none is.
    pub fn recognises(&self, document: &Value) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.matches(document))
    }

    /// The events of a document, one of each part, or why there is none of it.
    pub fn events(&self, document: &Value, received: &Received) -> Vec<Result<Event, Unmapped>> {
        match self.parts(document, received) {
            Ok(None) => vec![self.event(document, received)],
            Ok(Some(parts)) => parts.iter().map(|part| self.event(part, received)).collect(),
            Err(unmapped) => vec![Err(unmapped)],
        }
    }

    /// The parts; `None` where the whole is the one.
    fn parts(&self, document: &Value, received: &Received) -> Result<Option<Vec<Value>>, Unmapped> {
        let Some(split) = &self.split else { return Ok(None) };
        let fail = |reason: String| self.unmapped("split", split.line, reason);
        let evaluation = Evaluation::new(document, &self.id, received).map_err(fail)?;
        match evaluation.value(&split.what).map_err(fail)? {
            Value::Array(parts) if parts.is_empty() => Err(fail("it gives no part".to_owned())),
            Value::Array(parts) if parts.len() > PARTS_LIMIT => {
                Err(fail(format!("it gives {} parts, more than the {PARTS_LIMIT} that are taken", parts.len())))
            }
            Value::Array(parts) => Ok(Some(parts)),
            part => Ok(Some(vec![part])),
        }
    }

    fn event(&self, part: &Value, received: &Received) -> Result<Event, Unmapped> {
        let evaluation = Evaluation::new(part, &self.id, received).map_err(|reason| Unmapped {
            source_id: self.id.clone(),
            at: None,
            reason,
        })?;
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(evaluation.id));
        fields.insert("account".to_owned(), json!(received.account));
        fields.insert("region".to_owned(), json!(received.region));
        fields.insert("time".to_owned(), json!(received.at.to_string()));
        let mut detail = None;
        for (name, field) in FIELDS.iter().zip(&self.event) {
            let Some(Located { line, what }) = field else { continue };
            let value = evaluation.field(what).map_err(|reason| self.unmapped_field(name, *line, reason))?;
            match value {
                None => {}
                Some(value) if *name == "detail" => detail = Some(value),
                Some(value) if *name == "resources" && value.is_string() => {
                    fields.insert((*name).to_owned(), json!([value]));
                }
                Some(value) => {
                    fields.insert((*name).to_owned(), value);
                }
            }
        }
        let envelope = Value::Object(fields);
        let checked = |name: &'static str, fault: String| {
            let line = FIELDS.iter().zip(&self.event).find(|(field, _)| **field == name);
            let line = line.and_then(|(_, field)| field.as_ref()).map_or(1, |field| field.line);
            self.unmapped_field(name, line, fault)
        };
        let text = |name: &'static str| event::text(&envelope, name).map_err(|fault| checked(name, fault));
        Ok(Event {
            id: text("id")?,
            source: text("source")?,
            detail_type: text("detail-type")?,
            account: text("account")?,
            region: text("region")?,
            time: event::time(&envelope, "time").map_err(|fault| checked("time", fault))?,
            resources: event::resources(&envelope).map_err(|fault| checked("resources", fault))?,
            detail: detail.unwrap_or_else(|| part.clone()),
        })
    }

    fn unmapped_field(&self, name: &str, line: usize, reason: String) -> Unmapped {
        self.unmapped(&format!("event.{name}"), line, reason)
    }

    fn unmapped(&self, field: &str, line: usize, reason: String) -> Unmapped {
        Unmapped { source_id: self.id.clone(), at: Some((field.to_owned(), line)), reason }
    }
}

/// What the expressions of a source see: `$document`, and `$received` with `account` and `region`.
struct Evaluation {
    variables: Map<String, Value>,
    moment: Moment,
    /// Made of what the document says, so that two deliveries are the same event.
    id: String,
}

impl Evaluation {
    fn new(document: &Value, source_id: &str, received: &Received) -> Result<Evaluation, String> {
        let mut canonical = document.clone();
        canonical.sort_all_objects();
        let canonical = canonical.to_string();
        if canonical.len() > DOCUMENT_LIMIT_BYTES {
            return Err(format!(
                "the document has {} bytes, more than the {DOCUMENT_LIMIT_BYTES} that are mapped at once: send it in parts",
                canonical.len()
            ));
        }
        let seed: [u8; 32] =
            Sha256::new().chain_update(source_id).chain_update([0]).chain_update(canonical).finalize().into();
        let mut id = String::from("sha256-");
        for byte in seed.iter().take(ID_BYTES) {
            let _ = write!(id, "{byte:02x}");
        }
        let mut variables = Map::new();
        variables.insert("document".to_owned(), document.clone());
        variables.insert("received".to_owned(), json!({"account": received.account, "region": received.region}));
        Ok(Evaluation { variables, moment: Moment { now: received.at, seed }, id })
    }

    fn field(&self, field: &Field) -> Result<Option<Value>, String> {
        let value = match field {
            Field::Expression(expression) => self.value(expression)?,
            Field::Template(template) => {
                return self
                    .scoped(|scope| template.evaluate(scope))
                    .map(|value| Some(value).filter(|value| !value.is_null()));
            }
        };
        Ok(match value {
            Value::Array(mut values) if values.len() <= 1 => values.pop().filter(|value| !value.is_null()),
            several => Some(several),
        })
    }

    fn value(&self, expression: &Expression) -> Result<Value, String> {
        self.scoped(|scope| expression.evaluate(scope))
    }

    fn scoped(&self, evaluate: impl FnOnce(&Scope<'_>) -> Result<Value, query::Error>) -> Result<Value, String> {
        let nothing = Value::Null;
        let scope = Scope {
            root: &nothing,
            input: &nothing,
            result: None,
            error_output: None,
            context: &nothing,
            variables: &self.variables,
            moment: &self.moment,
        };
        evaluate(&scope).map_err(|error| format!("the expression {}", error.message))
    }
}
