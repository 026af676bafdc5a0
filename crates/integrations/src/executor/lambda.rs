//! `arn:aws:states:::lambda:invoke`, `aws-sdk:lambda:invoke` and the ARN of a function: a local process, a built-in function in process, or
//! the account's Lambda.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html>

mod local;

use std::sync::Arc;

use asl::integration::ParameterProblem;
use engine::ports::Task;
use serde_json::{Map, Value, json};

use super::{
    Executor, Failure,
    aws_sdk::{self, Patience},
    home, optimized,
};
use crate::{
    Function, FunctionError,
    local_function::{PAYLOAD_BYTES_MAX, Pool},
};

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
        match self.place(task, name)? {
            Place::Local(function) => {
                let payload = payload.map(Value::to_string);
                let invoked = local::invoke(function, arn_of(task, name)?, payload, &others).await;
                let invoked = invoked.map_err(|error| optimized::as_failure("lambda", error))?;
                let fields = invoked.integration_fields();
                let payload = answer_of(&invoked.text);
                Ok(Invoked { payload, fields, failed: invoked.failed.then_some(invoked.text) })
            }
            _ if payload.is_some_and(|payload| payload.to_string().len() > PAYLOAD_BYTES_MAX) => Err(Failure {
                error: "Lambda.RequestTooLargeException".to_owned(),
                cause: format!("the payload for `{name}` is longer than Lambda's limit of {PAYLOAD_BYTES_MAX} bytes"),
            }),
            Place::BuiltIn(function) => match others.get("InvocationType").and_then(Value::as_str) {
                None | Some("RequestResponse") => in_process(task, function.as_ref(), payload).await,
                Some("DryRun") => Ok(Invoked { payload: json!({}), fields: fields_of(task, 204), failed: None }),
                Some(other) => Err(parameters(&format!(
                    "the InvocationType `{other}` is not supported of `{name}`, which runs in this process"
                ))),
            },
            Place::Account => self.in_account(task, name, payload, others).await,
        }
    }

    /// Whether the function that `aws-sdk:lambda:invoke` names runs here, as a local process or built in.
    pub(super) fn is_invoked_here(&self, task: &Task, service: &str, action: &str) -> bool {
        let name = task.scheduled.arguments.get("FunctionName").and_then(Value::as_str);
        (service, action) == ("lambda", "invoke")
            && name.is_some_and(|name| matches!(self.place(task, name), Ok(Place::Local(_) | Place::BuiltIn(_))))
    }

    /// `aws-sdk:lambda:invoke` of such a function: the answer of Lambda's API. That the function failed is one, too.
    pub(super) async fn invoke_as_sdk(&self, task: &Task) -> Result<Value, Failure> {
        let given = &task.scheduled.arguments;
        let Value::Object(arguments) = given else { return Err(Failure::no_object(given)) };
        let known = |key: &str| ["FunctionName", "Payload"].contains(&key) || PASSED_ON.contains(&key);
        if let Some(unknown) = arguments.keys().find(|key| !known(key)) {
            return Err(Failure::unusable(given, &[ParameterProblem::Unsupported(unknown.clone())]));
        }
        let name = arguments.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
        let payload = arguments.get("Payload").and_then(payload_of);
        match self.place(task, name)? {
            Place::Local(function) => {
                let payload = payload.map(|payload| payload.to_string());
                let invoked = local::invoke(function, arn_of(task, name)?, payload, arguments).await;
                Ok(invoked.map_err(|error| error.into_failure(&task.scheduled.state_name))?.sdk_result())
            }
            Place::BuiltIn(_) | Place::Account => {
                let others = arguments.iter().filter(|(key, _)| PASSED_ON.contains(&key.as_str()));
                let others = others.map(|(key, value)| (key.clone(), value.clone())).collect();
                let Invoked { payload, fields, failed } = self.invoke(task, name, payload.as_ref(), others).await?;
                let mut result = Map::from_iter([("Payload".to_owned(), Value::String(payload.to_string()))]);
                result.insert("StatusCode".to_owned(), fields.get("StatusCode").cloned().unwrap_or(json!(200)));
                result.insert("ExecutedVersion".to_owned(), Value::from("$LATEST"));
                if failed.is_some() {
                    result.insert("FunctionError".to_owned(), Value::from("Unhandled"));
                }
                result.sort_keys();
                Ok(Value::Object(result))
            }
        }
    }

    pub(super) fn is_built_in(&self, task: &Task, name: Option<&str>) -> bool {
        name.is_some_and(|name| matches!(self.place(task, name), Ok(Place::BuiltIn(_))))
    }

    /// Where a function runs: a local process comes first, then a built-in function. Both are this account's and this Region's.
    pub(super) fn place(&self, task: &Task, name: &str) -> Result<Place<'_>, Failure> {
        let (region, account) = home(task)?;
        let role = task.scheduled.role_arn.as_deref();
        let is_elsewhere = role.and_then(|role| role.split(':').nth(4)).is_some_and(|its| its != account);
        let Some(bare) = here(name, region, account) else { return Ok(Place::Account) };
        if let Some(function) = self.local.as_ref().and_then(|local| local.get(bare)).filter(|_| !is_elsewhere) {
            return Ok(Place::Local(function));
        }
        Ok(self.functions.get(bare).map_or(Place::Account, Place::BuiltIn))
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
        let payload = answer_of(&text);
        let failed = fields.contains_key("FunctionError").then_some(text);
        let fields = match optimized::with_metadata(fields, &answer) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Ok(Invoked { payload, fields, failed })
    }
}

/// Where a function runs.
pub(super) enum Place<'a> {
    /// As a process of this machine.
    Local(&'a Arc<Pool>),
    /// In this process.
    BuiltIn(&'a Arc<dyn Function>),
    /// At Lambda.
    Account,
}

/// The bare name of a function, unless it is another account's or Region's.
fn here<'a>(name: &'a str, region: &str, account: &str) -> Option<&'a str> {
    let here = |named: &str, ours: &str| named.is_empty() || named == ours;
    match name.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", its_region, its_account, "function", bare, ..] => {
            (here(its_region, region) && here(its_account, account)).then_some(*bare)
        }
        [its_account, "function", bare, ..] => here(its_account, account).then_some(*bare),
        ["function", bare, ..] | [bare, ..] => Some(*bare),
        [] => None,
    }
}

/// The ARN of a function of this account and Region, with the qualifier that its name has.
fn arn_of(task: &Task, name: &str) -> Result<String, Failure> {
    let (region, account) = home(task)?;
    let partition = task.state_machine_arn.split(':').nth(1).unwrap_or("aws");
    let bare = match name.rsplit_once("function:") {
        Some((_, bare)) => bare,
        None => name,
    };
    Ok(format!("arn:{partition}:lambda:{region}:{account}:function:{bare}"))
}

/// The answer of a function: what is no JSON is passed on as text; an empty one (of an `Event` invocation) is `{}`.
fn answer_of(text: &str) -> Value {
    if text.is_empty() {
        return json!({});
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
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
