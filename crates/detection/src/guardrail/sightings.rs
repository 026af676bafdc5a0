//! The resources that an event names.

use query::{ErrorKind, Moment, Scope};
use serde_json::{Map, Value, json};

use super::Guardrail;
use crate::{Event, Sighting};

/// How many resources one event may name.
const RESOURCES_LIMIT: usize = 1000;

impl Guardrail {
    /// The resources that an event names, as sightings, each once. Nulls and missing ids among them are passed over; an event that
    /// names none has none.
    pub fn sightings(&self, event: &Event) -> Result<Vec<Sighting>, query::Error> {
        let ids = self.resource_ids(event)?;
        let actor = event.detail.get("userIdentity").filter(|actor| !actor.is_null());
        let sighting = |resource: String| Sighting {
            guardrail: self.id.clone(),
            title: self.title.clone(),
            severity: self.severity,
            resource_type: self.resource_type.clone(),
            resource,
            account: event.account.clone(),
            region: event.region.clone(),
            event_id: event.identity().to_owned(),
            event_time: event.time,
            actor: actor.cloned(),
            rule: None,
        };
        Ok(ids.into_iter().map(sighting).collect())
    }

    fn resource_ids(&self, event: &Event) -> Result<Vec<String>, query::Error> {
        let nothing = Value::Null;
        let context = json!({});
        let variables = Map::from_iter([("event".to_owned(), event.envelope())]);
        // An id depends on the event alone: the same event, the same ids.
        let moment = Moment { now: event.time, seed: [0; 32] };
        let scope = Scope {
            root: &nothing,
            input: &nothing,
            result: None,
            error_output: None,
            context: &context,
            variables: &variables,
            moment: &moment,
        };
        let values = match self.resource_id.evaluate(&scope)? {
            Value::Array(values) => values,
            other => vec![other],
        };
        if values.len() > RESOURCES_LIMIT {
            return Err(self.no_ids(format!("named {} resources, more than {RESOURCES_LIMIT}", values.len())));
        }
        let mut ids: Vec<String> = Vec::new();
        for value in values {
            match value {
                Value::Null => {}
                Value::String(id) if id.is_empty() || ids.contains(&id) => {}
                Value::String(id) => ids.push(id),
                other => {
                    return Err(
                        self.no_ids(format!("returned an unexpected result type. Expected 'string', but was: {other}"))
                    );
                }
            }
        }
        Ok(ids)
    }

    fn no_ids(&self, message: String) -> query::Error {
        query::Error {
            kind: ErrorKind::Jsonata,
            location: "resource/id".to_owned(),
            expression: self.resource_id.as_str().to_owned(),
            message,
        }
    }
}
