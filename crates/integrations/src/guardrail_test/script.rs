//! The AWS calls of a test, and its variables.

use aws::{Aws, CallError};
use detection::guardrail::test::{Observation, TestCall};
use jiff::Timestamp;
use query::{Language, Moment, Scope, Template};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How many characters `$run` has.
const RUN_LENGTH: usize = 12;

/// A test's calls and what they answered.
pub(super) struct Script<'a> {
    aws: &'a Aws,
    region: &'a str,
    variables: Map<String, Value>,
}

impl<'a> Script<'a> {
    pub(super) fn new(aws: &'a Aws, account: &str, region: &'a str) -> Script<'a> {
        // 48 random bits: enough that no two runs in one account meet.
        let run: String = Uuid::new_v4().simple().to_string().chars().take(RUN_LENGTH).collect();
        let variables = [("account", account), ("region", region), ("run", &run)];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        Script { aws, region, variables }
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.variables.insert(name.to_owned(), value);
    }

    /// Makes calls, one after the other; the first that fails ends them.
    pub(super) async fn calls(&mut self, calls: &[TestCall]) -> Result<(), String> {
        for call in calls {
            let parameters = self.fill(&call.parameters)?;
            let answer = super::call(self.aws, self.region, &call.service, &call.action, parameters).await;
            let answer = answer.map_err(|error| format!("{}:{}: {error}", call.service, call.action))?;
            if let Some(name) = &call.name {
                self.set(name, answer);
            }
        }
        Ok(())
    }

    /// Reads; a list of what each observation selects.
    pub(super) async fn observe(&self, observations: &[Observation]) -> Result<Value, String> {
        let mut observed = Vec::new();
        for observation in observations {
            let Observation { service, action, parameters, select, .. } = observation;
            let answer = super::call(self.aws, self.region, service, action, self.fill(parameters)?).await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(CallError::Service { name, cause, .. }) => json!({"Error": name, "Cause": cause}),
                Err(error) => return Err(format!("{service}:{action}: {error}")),
            };
            let mut variables = self.variables.clone();
            variables.insert("answer".to_owned(), answer);
            observed.push(evaluate(&json!(select), &variables).map_err(|why| format!("{service}:{action}: {why}"))?);
        }
        Ok(Value::Array(observed))
    }

    /// A value with its `{% … %}` evaluated.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, String> {
        evaluate(value, &self.variables)
    }
}

fn evaluate(value: &Value, variables: &Map<String, Value>) -> Result<Value, String> {
    let template = Template::parse(value, Language::Jsonata).map_err(|errors| {
        errors.iter().map(|error| format!("{}: {error}", error.pointer)).collect::<Vec<_>>().join("; ")
    })?;
    let nothing = json!({});
    let mut seed = [0; 32];
    seed.iter_mut().zip(Uuid::new_v4().into_bytes()).for_each(|(byte, random)| *byte = random);
    let moment = Moment { now: Timestamp::now(), seed };
    let scope = Scope {
        root: &nothing,
        input: &nothing,
        result: None,
        error_output: None,
        context: &nothing,
        variables,
        moment: &moment,
    };
    template.evaluate(&scope).map_err(|error| error.sentence(""))
}
