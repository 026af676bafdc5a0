use execution::ScheduledTask;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    FunctionError,
    functions::tests::store,
    tests::{moto::Moto, receiver::answering},
};

/// Answers its payload.
struct Echo;

#[async_trait]
impl Function for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    async fn invoke(&self, payload: Value) -> Result<Value, FunctionError> {
        match payload.get("Fail").and_then(Value::as_str) {
            Some(message) => Err(FunctionError { error_type: "Rectify.Test".to_owned(), message: message.to_owned() }),
            None => Ok(payload),
        }
    }
}

/// An executor, and the folder of its store.
pub(super) fn executor_of(aws: Aws) -> (Executor, TempDir) {
    let (store, folder) = store();
    let executor = Executor::new(aws, store.findings(), GuardrailSettings::default(), Channels::default());
    (executor.with_function(Echo), folder)
}

async fn executor() -> (Executor, TempDir) {
    executor_of(Aws::from_environment().await)
}

pub(super) fn task(resource: &str, arguments: Value) -> Task {
    Task {
        execution_arn: "arn:aws:states:eu-west-1:123456789012:execution:m:e".to_owned(),
        state_machine_arn: "arn:aws:states:eu-west-1:123456789012:stateMachine:m".to_owned(),
        scheduled: ScheduledTask {
            event_id: 3,
            state_name: "S".to_owned(),
            resource: resource.to_owned(),
            arguments,
            role_arn: None,
            task_token: None,
            timeout_seconds: None,
            heartbeat_seconds: None,
            submitted: None,
            idempotency_token: "11111111-2222-4333-8444-555555555555".to_owned(),
        },
    }
}

pub(super) fn failed(error: &str, cause: &str) -> TaskOutcome {
    TaskOutcome::Failed { error: error.to_owned(), cause: cause.to_owned() }
}

#[tokio::test]
async fn a_built_in_function_answers_among_lambdas_fields() {
    let (executor, _folder) = executor().await;
    let result = json!({
        "ExecutedVersion": "$LATEST",
        "Payload": {"n": 1},
        "SdkHttpMetadata": {"HttpStatusCode": 200},
        "SdkResponseMetadata": {"RequestId": "11111111-2222-4333-8444-555555555555"},
        "StatusCode": 200,
    });
    for name in [
        "rectify-echo",
        "rectify-echo:live",
        "123456789012:function:rectify-echo",
        "arn:aws:lambda:eu-west-1:123456789012:function:rectify-echo:1",
    ] {
        let arguments = json!({"FunctionName": name, "Payload": {"n": 1}});
        let outcome = executor.perform(task("arn:aws:states:::lambda:invoke", arguments.clone())).await;
        assert_eq!(outcome, TaskOutcome::Succeeded(result.clone()), "{name}");
        let outcome = executor.perform(task("arn:aws:states:::lambda:invoke.waitForTaskToken", arguments)).await;
        assert_eq!(outcome, TaskOutcome::Submitted(result.clone()), "{name}");
    }
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:rectify-echo";
    assert_eq!(executor.perform(task(arn, json!({"n": 1}))).await, TaskOutcome::Succeeded(json!({"n": 1})));
}

#[tokio::test]
async fn a_built_in_function_is_invoked_by_the_sdk_integration_too() {
    let (executor, _folder) = executor().await;
    let failed = json!({"ExecutedVersion": "$LATEST", "FunctionError": "Unhandled",
        "Payload": r#"{"errorMessage":"no","errorType":"Rectify.Test"}"#, "StatusCode": 200});
    for (payload, expected) in [
        (json!({"n": 1}), json!({"ExecutedVersion": "$LATEST", "Payload": r#"{"n":1}"#, "StatusCode": 200})),
        (json!({"Fail": "no"}), failed),
    ] {
        let arguments = json!({"FunctionName": "rectify-echo", "Payload": payload});
        let outcome = executor.perform(task("arn:aws:states:::aws-sdk:lambda:invoke", arguments)).await;
        assert_eq!(outcome, TaskOutcome::Succeeded(expected));
    }
}

#[tokio::test]
async fn a_local_function_comes_before_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let function = crate::LocalFunction {
        command: vec!["/bin/false".to_owned()],
        code: folder.path().to_owned(),
        handler: None,
        runtime: None,
        environment: Default::default(),
        timeout_seconds: 3,
        memory_size: 128,
        concurrency: 1,
    };
    let names = ["own", "rectify-echo"].map(|name| (name.to_owned(), function.clone()));
    let home = crate::local_function::Home {
        environment: Vec::new(),
        region: "eu-west-1".to_owned(),
        log_folder: folder.path().join("functions"),
    };
    let local = LocalFunctions::new(names.into_iter().collect(), home).unwrap();
    let (executor, _folder) = executor().await;
    let executor = executor.with_local_functions(local);
    let invoke = "arn:aws:states:::lambda:invoke";
    let direct = "arn:aws:lambda:eu-west-1:123456789012:function:own:live";
    for (resource, arguments) in [
        (invoke, json!({"FunctionName": "own"})),
        (invoke, json!({"FunctionName": "rectify-echo:1"})),
        (invoke, json!({"FunctionName": "123456789012:function:own"})),
        ("arn:aws:states:::lambda:invoke.waitForTaskToken", json!({"FunctionName": direct})),
        (direct, json!({})),
    ] {
        let TaskOutcome::Failed { error, cause } = executor.perform(task(resource, arguments)).await else {
            panic!("{resource} succeeded");
        };
        assert_eq!(error, "Runtime.ExitError", "{cause}");
    }
    assert!(!executor.is_local(&task(invoke, json!({"FunctionName": "rectify-echo"}))));
    for (name, role, local) in [
        ("own", None, true),
        ("own", Some("arn:aws:iam::123456789012:role/r"), true),
        ("own", Some("arn:aws:iam::999999999999:role/r"), false),
        ("arn:aws:lambda:us-east-1:123456789012:function:own", None, false),
        ("other", None, false),
    ] {
        let mut task = task(invoke, json!({}));
        task.scheduled.role_arn = role.map(str::to_owned);
        let place = executor.place(&task, name).unwrap();
        assert_eq!(matches!(place, lambda::Place::Local(_)), local, "{name} {role:?}");
    }
    for (arguments, error, cause) in [
        (
            json!({"FunctionName": "own", "Payload": "x".repeat(7_000_000)}),
            "Lambda.RequestEntityTooLargeException",
            "7000002 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes) (Service: AWSLambda; Status Code: 413; Error Code: RequestEntityTooLargeException; Request ID: ",
        ),
        (
            json!({"FunctionName": "own", "InvocationType": "Event", "Payload": "x".repeat(1_048_577)}),
            "Lambda.RequestEntityTooLargeException",
            "1048579 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
        ),
        (
            json!({"FunctionName": "own", "ClientContext": "?"}),
            "Lambda.InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        ),
        (json!({"FunctionName": "own", "InvocationType": "No"}), "Lambda.ValidationException", "1 validation error"),
    ] {
        let TaskOutcome::Failed { error: found, cause: told } = executor.perform(task(invoke, arguments)).await else {
            panic!("{cause}: succeeded");
        };
        assert_eq!(found, error, "{told}");
        assert!(told.starts_with(cause), "{told}");
    }
    let dry = executor.perform(task(invoke, json!({"FunctionName": "own", "InvocationType": "DryRun"}))).await;
    assert!(matches!(&dry, TaskOutcome::Succeeded(result) if result["StatusCode"] == 204), "{dry:?}");
}

#[tokio::test]
async fn what_fails_says_so_as_step_functions_does() {
    let (executor, _folder) = executor().await;
    let invoke = "arn:aws:states:::lambda:invoke";
    let echo = |payload: Value| json!({"FunctionName": "rectify-echo", "Payload": payload});
    for (resource, arguments, expected) in [
        (
            invoke,
            echo(json!({"Fail": "no"})),
            failed("Rectify.Test", r#"{"errorMessage":"no","errorType":"Rectify.Test"}"#),
        ),
        (
            invoke,
            echo(json!("x".repeat(RESULT_BYTES_MAX))),
            failed(
                "States.DataLimitExceeded",
                "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service \
                 limit.",
            ),
        ),
        (
            invoke,
            json!({}),
            failed(
                "States.Runtime",
                "The Parameters '{}' could not be used to start the Task: [The field 'FunctionName' is required but was \
                 missing]",
            ),
        ),
        (
            invoke,
            json!({"FunctionName": "rectify-echo", "InvocationType": "Event"}),
            failed(
                "States.Runtime",
                "the parameters of `lambda:invoke` can't be used: the InvocationType `Event` is not supported of \
                 `rectify-echo`, which runs in this process",
            ),
        ),
    ] {
        assert_eq!(executor.perform(task(resource, arguments)).await, expected);
    }
    let TaskOutcome::Failed { error, cause } =
        executor.perform(task("arn:aws:states:::eks:runJob.sync", json!({}))).await
    else {
        panic!("an unsupported resource succeeded");
    };
    assert_eq!(error, "States.Runtime");
    assert!(cause.contains("`arn:aws:states:::eks:runJob.sync`") && cause.contains("aws-sdk"), "{cause}");
}

#[tokio::test]
async fn only_its_own_step_functions_calls_the_engine() {
    let (executor, _folder) = executor().await;
    let sync = || task("arn:aws:states:::aws-sdk:sfn:startSyncExecution", json!({}));
    assert!(!executor.calls_engine(&sync()), "AWS's");
    let states = Aws::from_environment().await;
    let executor = executor.with_own_states(states);
    let check = |resource: &str, role: Option<&str>, expected: bool| {
        let mut task = task(resource, json!({}));
        task.scheduled.role_arn = role.map(str::to_owned);
        assert_eq!(executor.calls_engine(&task), expected, "{resource} {role:?}");
    };
    check("arn:aws:states:::aws-sdk:sfn:startSyncExecution", None, true);
    check("arn:aws:states:::states:startExecution.sync:2", None, true);
    check("arn:aws:states:::aws-sdk:sfn:startSyncExecution", Some("arn:aws:iam::210987654321:role/r"), false);
    check("arn:aws:states:::aws-sdk:s3:listBuckets", None, false);
    check("arn:aws:states:::sqs:sendMessage", None, false);
}

#[tokio::test]
async fn built_in_functions_are_local_and_aws_is_not() {
    let (executor, _folder) = executor().await;
    let check = |resource: &str, arguments: Value, expected: bool| {
        assert_eq!(executor.is_local(&task(resource, arguments)), expected, "{resource}");
    };
    check("arn:aws:states:::lambda:invoke", json!({"FunctionName": "rectify-echo"}), true);
    check("arn:aws:states:::lambda:invoke.waitForTaskToken", json!({"FunctionName": "rectify-echo"}), true);
    check("arn:aws:lambda:eu-west-1:123456789012:function:rectify-echo", json!({}), true);
    check("arn:aws:states:::lambda:invoke", json!({"FunctionName": "own"}), false);
    check("arn:aws:states:::lambda:invoke", json!({}), false);
    check("arn:aws:states:::aws-sdk:s3:listBuckets", json!({}), false);
    check("arn:aws:states:::sqs:sendMessage", json!({}), false);
}

#[tokio::test]
async fn another_accounts_function_is_no_built_in_one() {
    let (executor, _folder) = executor().await;
    let task = task("arn:aws:states:::lambda:invoke", json!({}));
    for (name, built_in) in [
        ("rectify-echo", true),
        ("arn:aws:lambda:eu-west-1:123456789012:function:rectify-echo", true),
        ("arn:aws:lambda:eu-west-1:999999999999:function:rectify-echo", false),
        ("arn:aws:lambda:us-east-1:123456789012:function:rectify-echo", false),
        ("999999999999:function:rectify-echo", false),
        ("echo", false),
        ("rectify-other", false),
    ] {
        assert_eq!(executor.is_built_in(&task, Some(name)), built_in, "{name}");
    }
}

#[test]
fn a_function_error_of_lambda_is_told_by_its_type() {
    let payload = json!({"errorMessage": "boom", "errorType": "ValueError", "stackTrace": []});
    let failure = lambda::function_failed(&payload, payload.to_string());
    assert_eq!(failure.error, "ValueError");
    assert_eq!(failure.cause, payload.to_string());
    assert_eq!(lambda::function_failed(&json!("gone"), String::new()).error, "Lambda.Unknown");
}

#[tokio::test]
async fn aws_is_called_in_the_region_of_the_machine_and_its_errors_are_step_functions() {
    let Some(moto) = Moto::start() else { return };
    let (executor, _folder) = executor_of(Aws::new(moto.options()));
    let sdk = |call: &str| format!("arn:aws:states:::aws-sdk:{call}");
    let group = json!({"GroupName": "g", "Description": "d"});
    let TaskOutcome::Succeeded(made) = executor.perform(task(&sdk("ec2:createSecurityGroup"), group.clone())).await
    else {
        panic!("no group");
    };
    assert!(made["GroupId"].as_str().unwrap().starts_with("sg-"), "{made}");
    // The same group is there only in the Region in which it was made.
    let TaskOutcome::Failed { error, cause } =
        executor.perform(task(&sdk("ec2:createSecurityGroup"), group.clone())).await
    else {
        panic!("the group was made twice");
    };
    assert_eq!(error, "Ec2.Ec2Exception");
    assert!(cause.contains("(Service: Ec2, Status Code: 400, Request ID: "), "{cause}");
    let mut elsewhere = task(&sdk("ec2:createSecurityGroup"), group);
    elsewhere.state_machine_arn = "arn:aws:states:us-west-2:123456789012:stateMachine:m".to_owned();
    assert!(matches!(executor.perform(elsewhere).await, TaskOutcome::Succeeded(_)));

    for (call, parameters, expected, text) in [
        ("s3:getBucketAcl", json!({"Bucket": "nobodys"}), "S3.NoSuchBucketException", "Status Code: 404"),
        ("s3:getBucketAkl", json!({"Bucket": "b"}), "States.Runtime", "getBucketAcl"),
        (
            "s3:getBucketAcl",
            json!({"Bucket": 1}),
            "States.Runtime",
            "[The value of the field 'Bucket' has an invalid format]",
        ),
        ("s3:getBucketAcl", json!("b"), "States.Runtime", "[The value of the parameters has an invalid format]"),
    ] {
        let outcome = executor.perform(task(&sdk(call), parameters)).await;
        let TaskOutcome::Failed { error, cause } = outcome else { panic!("{call}: {outcome:?}") };
        assert_eq!(error, expected, "{call}: {cause}");
        assert!(cause.contains(text), "{call}: {cause}");
    }
}

#[tokio::test]
async fn a_function_of_the_account_that_is_not_there_is_lambdas_error() {
    let Some(moto) = Moto::start() else { return };
    let (executor, _folder) = executor_of(Aws::new(moto.options()));
    let invoke = task("arn:aws:states:::lambda:invoke", json!({"FunctionName": "rectify-other", "Payload": {}}));
    let TaskOutcome::Failed { error, cause } = executor.perform(invoke).await else { panic!("it was invoked") };
    assert_eq!(error, "Lambda.ResourceNotFoundException");
    assert!(cause.contains("(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException;"), "{cause}");
}

#[tokio::test]
async fn states_tasks_go_where_they_are_sent() {
    let Some(moto) = Moto::start() else { return };
    let nowhere = aws::Options { endpoint_url: Some("http://127.0.0.1:1".to_owned()), ..moto.options() };
    let (executor, _folder) = executor_of(Aws::new(nowhere));
    let executor = executor.with_own_states(Aws::new(moto.options()));
    let listed = executor.perform(task("arn:aws:states:::aws-sdk:sfn:listStateMachines", json!({}))).await;
    assert!(matches!(listed, TaskOutcome::Succeeded(_)), "{listed:?}");
    let listed = executor.perform(task("arn:aws:states:::aws-sdk:sqs:listQueues", json!({}))).await;
    assert!(matches!(&listed, TaskOutcome::Failed { error, .. } if error == "Sqs.SdkClientException"), "{listed:?}");
}

/// What Lambda answers an invocation with.
fn invoked(headers: &str, body: &str) -> String {
    format!("200 OK\r\nx-amz-executed-version: 7\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_function_of_the_account_is_invoked_with_its_payload() {
    let failed = r#"{"errorMessage": "boom", "errorType": "ValueError"}"#;
    let fails = invoked("x-amz-function-error: Unhandled\r\n", failed);
    let answers = vec![invoked("x-amzn-requestid: r-1\r\n", r#"{"n": 2}"#), invoked("", r#"{"n": 2}"#), fails];
    let (url, received) = answering(answers).await;
    let mut options = aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret");
    options.endpoint_url = Some(url);
    let (executor, _folder) = executor_of(Aws::new(options));
    let invoke =
        |payload: Value| task("arn:aws:states:::lambda:invoke", json!({"FunctionName": "f", "Payload": payload}));
    let outcome = executor.perform(invoke(json!({"n": 1}))).await;
    let TaskOutcome::Succeeded(mut result) = outcome else { panic!("{outcome:?}") };
    let headers = result["SdkHttpMetadata"].as_object_mut().unwrap().shift_remove("HttpHeaders").unwrap();
    assert_eq!((&headers["X-Amz-Executed-Version"], &headers["Content-Length"]), (&json!("7"), &json!("8")));
    result["SdkHttpMetadata"].as_object_mut().unwrap().shift_remove("AllHttpHeaders");
    let expected = json!({
        "ExecutedVersion": "7", "Payload": {"n": 2}, "SdkHttpMetadata": {"HttpStatusCode": 200},
        "SdkResponseMetadata": {"RequestId": "r-1"}, "StatusCode": 200,
    });
    assert_eq!(result.to_string(), expected.to_string());
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:f";
    assert_eq!(executor.perform(task(arn, json!({"n": 1}))).await, TaskOutcome::Succeeded(json!({"n": 2})));
    // The cause is compact, but as it came where the function is called directly.
    let compact = r#"{"errorMessage":"boom","errorType":"ValueError"}"#;
    for (task, cause) in [(invoke(json!("{\"n\": 1}")), compact), (task(arn, json!({"n": 1})), failed)] {
        let failed = TaskOutcome::Failed { error: "ValueError".to_owned(), cause: cause.to_owned() };
        assert_eq!(executor.perform(task).await, failed);
    }
    assert_eq!(*received.lock().unwrap(), vec![json!({"n": 1}); 4], "text that is JSON is taken for it");
    executor.perform(invoke(json!("hello"))).await;
    assert_eq!(*received.lock().unwrap().last().unwrap(), json!("hello"));
}
