//! `arn:aws:states:::lambda:invoke` and the ARN of a function: a built-in function in process, or the account's Lambda.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>

use std::sync::Arc;

use asl::integration::ParameterProblem;
use engine::ports::Task;
use serde_json::{Map, Value, json};

use super::{
    Executor, Failure,
    aws_sdk::{self, Patience},
    home, optimized,
};
use crate::{Function, FunctionError};

/// Of a payload as JSON text, in bytes: Lambda's limit of a synchronous invocation.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A function runs for a quarter of an hour at most. It is invoked once: whether it may be again is a Retrier's to say.
const PATIENCE: Patience = Patience { attempts: 1, timeout_seconds: 15 * 60 };

/// Parameters of the optimized integration that go to Lambda as they are.
const PASSED_ON: &[&str] = &["ClientContext", "InvocationType", "LogType", "Qualifier"];

/// What came of an invocation.
struct Invoked {
    payload: Value,
    /// Lambda's own fields: `ExecutedVersion`, `StatusCode` …
    fields: Map<String, Value>,
    /// The answer's text as it came, where the function failed.
    failed: Option<String>,
}

impl Executor {
    /// The integration `lambda:invoke`: the result is Lambda's fields, with the function's answer in `Payload`.
    pub(super) async fn invoke_optimized(&self, task: &Task) -> Result<Value, Failure> {
        let given = &task.scheduled.arguments;
        let Value::Object(arguments) = given else { return Err(Failure::no_object(given)) };
        let unusable = |problem| Failure::unusable(given, &[problem]);
        let field = || "FunctionName".to_owned();
        let name = match arguments.get("FunctionName") {
            Some(Value::String(name)) if !name.is_empty() => name,
            Some(_) => return Err(unusable(ParameterProblem::Invalid(field()))),
            None => return Err(unusable(ParameterProblem::Missing(field()))),
        };
        let known = |key: &str| ["FunctionName", "Payload"].contains(&key) || PASSED_ON.contains(&key);
        if let Some(unknown) = arguments.keys().find(|key| !known(key)) {
            return Err(unusable(ParameterProblem::Unsupported(unknown.clone())));
        }
        let others = arguments.iter().filter(|(key, _)| PASSED_ON.contains(&key.as_str()));
        let others = others.map(|(key, value)| (key.clone(), value.clone())).collect();
        let payload = arguments.get("Payload").and_then(payload_of);
        let invoked = self.invoke(task, name, payload.as_ref(), others).await?;
        let Invoked { payload, fields: mut result, failed } = invoked;
        if failed.is_some() {
            return Err(function_failed(&payload, payload.to_string()));
        }
        result.insert("Payload".to_owned(), payload);
        result.sort_keys();
        Ok(Value::Object(result))
    }

    /// A function's ARN as `Resource`: the input is the payload, the result the function's answer.
    pub(super) async fn invoke_directly(&self, task: &Task, arn: &str) -> Result<Value, Failure> {
        let Invoked { payload, failed, .. } =
            self.invoke(task, arn, Some(&task.scheduled.arguments), Map::new()).await?;
        match failed {
            Some(text) => Err(function_failed(&payload, text)),
            None => Ok(payload),
        }
    }

    async fn invoke(
        &self,
        task: &Task,
        name: &str,
        payload: Option<&Value>,
        others: Map<String, Value>,
    ) -> Result<Invoked, Failure> {
        if payload.is_some_and(|payload| payload.to_string().len() > PAYLOAD_BYTES_MAX) {
            return Err(Failure {
                error: "Lambda.RequestTooLargeException".to_owned(),
                cause: format!("the payload for `{name}` is longer than Lambda's limit of {PAYLOAD_BYTES_MAX} bytes"),
            });
        }
        match self.built_in(task, name)? {
            Some(function) => match others.get("InvocationType").and_then(Value::as_str) {
                None | Some("RequestResponse") => in_process(task, function.as_ref(), payload).await,
                Some("DryRun") => Ok(Invoked { payload: json!({}), fields: fields_of(task, 204), failed: None }),
                Some(other) => Err(parameters(&format!(
                    "the InvocationType `{other}` is not supported of `{name}`, which runs in this process"
                ))),
            },
            None => self.in_account(task, name, payload, others).await,
        }
    }

    pub(super) fn is_built_in(&self, task: &Task, name: Option<&str>) -> bool {
        name.is_some_and(|name| matches!(self.built_in(task, name), Ok(Some(_))))
    }

    /// The built-in function of that name, unless it is another account's or Region's.
    pub(super) fn built_in(&self, task: &Task, name: &str) -> Result<Option<&Arc<dyn Function>>, Failure> {
        let (region, account) = home(task)?;
        let here = |named: &str, ours: &str| named.is_empty() || named == ours;
        let parts: Vec<&str> = name.split(':').collect();
        let bare = match parts.as_slice() {
            ["arn", _, "lambda", its_region, its_account, "function", bare, ..] => {
                if !here(its_region, region) || !here(its_account, account) {
                    return Ok(None);
                }
                bare
            }
            [its_account, "function", bare, ..] => {
                if !here(its_account, account) {
                    return Ok(None);
                }
                bare
            }
            ["function", bare, ..] | [bare, ..] => bare,
            [] => return Ok(None),
        };
        Ok(self.functions.get(*bare))
    }

    async fn in_account(
        &self,
        task: &Task,
        name: &str,
        payload: Option<&Value>,
        mut parameters: Map<String, Value>,
    ) -> Result<Invoked, Failure> {
        parameters.insert("FunctionName".to_owned(), Value::String(name.to_owned()));
        if let Some(payload) = payload {
            parameters.insert("Payload".to_owned(), Value::String(payload.to_string()));
        }
        let parameters = Value::Object(parameters);
        let (caller, call) = (self.caller("lambda", task)?, ("lambda", "invoke"));
        let answer = aws_sdk::request_as_version_1(caller, task, call, parameters, PATIENCE).await;
        let mut answer = answer.map_err(|error| optimized::as_failure("lambda", error))?;
        let Value::Object(mut fields) = answer.result.take() else {
            return Err(Failure { error: "Lambda.Unknown".to_owned(), cause: format!("`{name}` gave no answer") });
        };
        let text = match fields.shift_remove("Payload") {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        // What is no JSON is passed on as text; an empty answer (of an `Event` invocation) is `{}`.
        let payload = if text.is_empty() {
            json!({})
        } else {
            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()))
        };
        let failed = fields.contains_key("FunctionError").then_some(text);
        let fields = match optimized::with_metadata(fields, &answer) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Ok(Invoked { payload, fields, failed })
    }
}

/// The parameter `Payload` as JSON: text that is JSON is taken for it, other text for a string.
fn payload_of(given: &Value) -> Option<Value> {
    match given {
        Value::Null => None,
        Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| given.clone())),
        given => Some(given.clone()),
    }
}

/// What Lambda says of an invocation, of one in this process.
fn fields_of(task: &Task, status: u16) -> Map<String, Value> {
    let request_id = &task.scheduled.idempotency_token;
    [
        ("SdkHttpMetadata", json!({"HttpStatusCode": status})),
        ("SdkResponseMetadata", json!({"RequestId": request_id})),
        ("StatusCode", json!(status)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

async fn in_process(task: &Task, function: &dyn Function, payload: Option<&Value>) -> Result<Invoked, Failure> {
    match function.invoke(payload.cloned().unwrap_or_else(|| json!({}))).await {
        Ok(payload) => {
            let mut fields = fields_of(task, 200);
            fields.insert("ExecutedVersion".to_owned(), Value::from("$LATEST"));
            Ok(Invoked { payload, fields, failed: None })
        }
        Err(FunctionError { error_type, message }) => {
            let payload = json!({"errorMessage": message, "errorType": error_type});
            let failed = Some(payload.to_string());
            Ok(Invoked { payload, fields: Map::new(), failed })
        }
    }
}

/// A function that failed: `errorType` is the `Error`. The `Cause` is its whole answer: of the integration compact, of a function that
/// is called directly as it came.
pub(super) fn function_failed(payload: &Value, text: String) -> Failure {
    let error = payload.get("errorType").and_then(Value::as_str).unwrap_or("Lambda.Unknown");
    Failure { error: error.to_owned(), cause: text }
}

fn parameters(why: &str) -> Failure {
    Failure::runtime(format!("the parameters of `lambda:invoke` can't be used: {why}"))
}
