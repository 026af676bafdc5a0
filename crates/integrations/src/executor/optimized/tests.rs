use std::time::Duration;

use asl::integration;
use aws::{Aws, CallError};
use engine::{
    TaskExecutor,
    ports::{JobStanding, TaskOutcome},
};
use execution::ScheduledTask;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    super::{
        Executor,
        tests::{executor_of, failed, task},
    },
    row::{Argument, Row},
    table::ROWS,
};
use crate::tests::receiver::{Received, answering};

/// Rows of AWS's that are told to be unsupported here.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("apigateway", "invoke"),
    ("eks", "call"),
    ("eks", "runJob"),
    ("elasticmapreduce", "modifyInstanceFleetByName"),
    ("elasticmapreduce", "modifyInstanceGroupByName"),
    ("http", "invoke"),
];

fn aws_at(url: String) -> Aws {
    let mut options = aws::Options::fixed("eu-west-1", "AKIDEXAMPLE", "secret");
    options.endpoint_url = Some(url);
    Aws::new(options)
}

/// An answer of a service with JSON.
fn ok(body: &Value) -> String {
    let body = body.to_string();
    format!("200 OK\r\nx-amzn-requestid: r-1\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn executor_answered(answers: Vec<String>) -> (Executor, Received, TempDir) {
    let (url, received) = answering(answers).await;
    let (executor, folder) = executor_of(aws_at(url));
    (executor, received, folder)
}

/// What STS answers AssumeRole with.
fn session() -> String {
    let body = "<R><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></R>";
    format!("200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn metadata(length: usize) -> [(String, Value); 2] {
    let headers = json!({"connection": "close", "Content-Length": length.to_string(), "x-amzn-RequestId": "r-1"});
    let all = json!({"connection": ["close"], "Content-Length": [length.to_string()], "x-amzn-RequestId": ["r-1"]});
    let http = json!({"AllHttpHeaders": all, "HttpHeaders": headers, "HttpStatusCode": 200});
    let response = json!({"RequestId": "r-1"});
    [("SdkHttpMetadata".to_owned(), http), ("SdkResponseMetadata".to_owned(), response)]
}

#[test]
fn the_table_has_the_rows_of_the_language() {
    for row in integration::all().filter(|row| row.service != "lambda") {
        let known = super::is_known(row.service, row.action);
        let unsupported = UNSUPPORTED.contains(&(row.service, row.action));
        assert!(known != unsupported, "{}:{}", row.service, row.action);
    }
    for row in ROWS {
        let known = integration::find(row.service, row.action).unwrap();
        let waits = known.has(integration::Pattern::Sync);
        assert_eq!(row.job.is_some(), waits, "{}:{}", row.service, row.action);
        assert!(row.texts.iter().all(|text| known.parameters.contains(text)), "{}:{}", row.service, row.action);
    }
}

#[test]
fn the_documentation_lists_the_table() {
    let page = include_str!("../../../../../docs/resources.md");
    for row in integration::all() {
        let listed = page.lines().find(|line| line.contains(&format!("| `{}:{}` |", row.service, row.action)));
        let known = row.service == "lambda" || super::is_known(row.service, row.action);
        assert_eq!(listed.is_some(), known, "{}:{}", row.service, row.action);
        for pattern in row.patterns.iter().filter(|pattern| !pattern.suffix().is_empty()) {
            let told = listed.is_none_or(|line| line.contains(&format!("`{}`", pattern.suffix())));
            assert!(told, "{}:{} {pattern:?}", row.service, row.action);
        }
    }
}

/// A value in which each pointer leads to a text.
fn leading(arguments: &[Argument]) -> Value {
    let mut source = json!({});
    for argument in arguments {
        let (Argument::One(_, pointer) | Argument::List(_, pointer)) = argument;
        let steps: Vec<&str> = pointer.split('/').skip(1).collect();
        let mut place = &mut source;
        for step in steps {
            place = match step.parse::<usize>() {
                Ok(_) => {
                    if !place.is_array() {
                        *place = json!([{}]);
                    }
                    &mut place[0]
                }
                Err(_) => &mut place[step],
            };
        }
        *place = json!("x1");
    }
    source
}

#[tokio::test]
async fn every_call_of_the_table_is_one_of_the_api() {
    let (url, _) = answering(vec![ok(&json!({}))]).await;
    let aws = aws_at(url);
    let call = |row: &Row, action: &str, parameters: Value| {
        let call = aws::Call {
            service: row.aws_service.to_owned(),
            action: action.to_owned(),
            parameters,
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 5,
            answer_bytes: None,
        };
        let aws = aws.clone();
        async move { aws.call(call).await }
    };
    for row in ROWS {
        let named = format!("{}:{}", row.service, row.action);
        aws.check(row.aws_service, row.aws_action).unwrap_or_else(|error| panic!("{named}: {error}"));
        let names = &integration::find(row.service, row.action).unwrap().parameters;
        let names = names.iter().filter(|name| !(row.service == "bedrock" && ["Input", "Output"].contains(name)));
        let parameters = names.map(|name| ((*name).to_owned(), Value::Null)).collect();
        let parameters = (row.request)(parameters, &task("", json!({}))).unwrap();
        if let Err(CallError::Parameters { message, .. }) = call(row, row.aws_action, Value::Object(parameters)).await {
            assert!(!message.contains("is not known"), "{named}: {message}");
        }
        let Some(job) = &row.job else { continue };
        for (action, arguments) in [(job.describe, job.by)].into_iter().chain(job.stop) {
            let told = call(row, action, Argument::all(arguments, &leading(arguments))).await;
            assert!(told.is_ok(), "{named}: {action}: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_message_is_sent_and_answered_among_metadata() {
    let answer = json!({"MessageId": "m", "MD5OfMessageBody": "d"});
    let (executor, received, _folder) = executor_answered(vec![ok(&answer)]).await;
    let arguments = json!({"QueueUrl": "https://q", "MessageBody": {"a": [1]}, "DelaySeconds": null});
    let mut expected = answer.clone();
    expected.as_object_mut().unwrap().extend(metadata(answer.to_string().len()));
    let outcome = executor.perform(task("arn:aws:states:::sqs:sendMessage", arguments.clone())).await;
    assert_eq!(outcome, TaskOutcome::Succeeded(expected.clone()));
    let outcome = executor.perform(task("arn:aws:states:::sqs:sendMessage.waitForTaskToken", arguments)).await;
    assert_eq!(outcome, TaskOutcome::Submitted(expected));
    assert_eq!(received.lock().unwrap()[0], json!({"QueueUrl": "https://q", "MessageBody": r#"{"a":[1]}"#}));
}

#[tokio::test]
async fn a_message_that_is_xml_has_its_request_id_in_the_body() {
    let body = "<R><PublishResult><MessageId>m</MessageId></PublishResult><ResponseMetadata><RequestId>r-2</RequestId></ResponseMetadata></R>";
    let answer = format!("200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (executor, received, _folder) = executor_answered(vec![answer]).await;
    let arguments = json!({"TopicArn": "t", "Message": 1});
    let outcome = executor.perform(task("arn:aws:states:::sns:publish", arguments)).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&result["MessageId"], &result["SdkResponseMetadata"]["RequestId"]), (&json!("m"), &json!("r-2")));
    let sent = received.lock().unwrap()[0].to_string();
    assert!(sent.contains("Message=1"), "{sent}");
}

#[tokio::test]
async fn errors_have_the_names_and_texts_of_the_integration() {
    let error = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}"#;
    let answer = format!("400 x\r\nx-amzn-requestid: r-1\r\ncontent-length: {}\r\n\r\n{error}", error.len());
    let (executor, _, _folder) = executor_answered(vec![answer]).await;
    let put = |arguments| executor.perform(task("arn:aws:states:::dynamodb:putItem", arguments));
    let cause = "The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException; Request ID: r-1; Proxy: null)";
    let outcome = put(json!({"TableName": "t", "Item": {"a": {"S": "b"}}})).await;
    assert_eq!(outcome, failed("DynamoDB.ConditionalCheckFailedException", cause));
    let cause = r#"The Parameters '{"TableName":"t","Itm":1}' could not be used to start the Task: [The field "Itm" is not supported by Step Functions, The field 'Item' is required but was missing]"#;
    assert_eq!(put(json!({"TableName": "t", "Itm": 1})).await, failed("States.Runtime", cause));
    let cause = r#"The Parameters '{"TableName":5,"Item":{"a":{"X":"b"}}}' could not be used to start the Task: [The value of the field 'TableName' has an invalid format, The field "X" is not supported by Step Functions]"#;
    assert_eq!(put(json!({"TableName": 5, "Item": {"a": {"X": "b"}}})).await, failed("States.Runtime", cause));
}

#[tokio::test]
async fn an_event_that_is_not_taken_fails_the_task() {
    let refused = json!({"Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "no"}], "FailedEntryCount": 1});
    let taken = json!({"Entries": [{"EventId": "e"}], "FailedEntryCount": 0});
    let (executor, received, _folder) = executor_answered(vec![ok(&refused), ok(&taken)]).await;
    let entry = json!({"Source": "s", "DetailType": "d", "Detail": {"a": 1}, "Resources": ["r"]});
    let put = || executor.perform(task("arn:aws:states:::events:putEvents", json!({"Entries": [entry]})));
    assert_eq!(put().await, failed("EventBridge.FailedEntry", &refused.to_string()));
    assert!(matches!(put().await, TaskOutcome::Succeeded(_)));
    let sent = received.lock().unwrap()[0]["Entries"][0].clone();
    assert_eq!(sent["Detail"], json!(r#"{"a":1}"#));
    let arns = json!([
        "r",
        "arn:aws:states:eu-west-1:123456789012:execution:m:e",
        "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    ]);
    assert_eq!(sent["Resources"], arns);
}

#[tokio::test]
async fn an_answer_that_is_longer_than_any_result_is_refused_by_its_length() {
    for (resource, arguments, named) in [
        ("arn:aws:states:::aws-sdk:s3:getObject", json!({"Bucket": "b", "Key": "k"}), "State"),
        ("arn:aws:states:::dynamodb:getItem", json!({"TableName": "t", "Key": {"a": {"S": "b"}}}), "dynamodb"),
    ] {
        let head = |length: usize| format!("200 OK\r\ncontent-length: {length}\r\n\r\n");
        let (executor, received, _folder) = executor_answered(vec![head(8 * 1024 * 1024 + 1)]).await;
        let mut task = task(resource, arguments);
        task.scheduled.state_name = "State".to_owned();
        let cause = format!(
            "The state/task '{named}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        assert_eq!(executor.perform(task).await, failed("States.DataLimitExceeded", &cause));
        assert_eq!(received.lock().unwrap().len(), 1, "{resource}: it would be as long again");
    }
}

#[tokio::test]
async fn the_answer_to_a_begin_is_waited_for_beyond_the_time_of_its_task() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (executor, _folder) = executor_of(aws_at(format!("http://{}", listener.local_addr().unwrap())));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let answer = format!("HTTP/1.1 {}", ok(&json!({"JobRunId": "r"})));
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    let mut task = task("arn:aws:states:::glue:startJobRun.sync", json!({"JobName": "j"}));
    task.scheduled.timeout_seconds = Some(1);
    let outcome = executor.perform(task).await;
    assert!(matches!(&outcome, TaskOutcome::Submitted(answer) if answer["JobRunId"] == json!("r")), "{outcome:?}");
    server.await.unwrap();
}

/// What a job ends with that is asked after again and again.
async fn end_of(executor: &Executor, task: engine::ports::Task) -> TaskOutcome {
    let mut unclear = 0;
    loop {
        match executor.ask_job(task.clone()).await {
            JobStanding::Running => unclear = 0,
            JobStanding::Unclear { allowed, .. } if unclear < allowed => unclear += 1,
            JobStanding::Unclear { outcome, .. } | JobStanding::Ended(outcome) => return outcome,
        }
    }
}

/// The task of a job that was begun with this answer.
fn begun(resource: &str, arguments: Value, answer: Value) -> engine::ports::Task {
    let task = task(resource, arguments);
    engine::ports::Task { scheduled: ScheduledTask { submitted: Some(answer), ..task.scheduled }, ..task }
}

#[tokio::test]
async fn an_execution_is_started_once_by_its_name_and_asked_after_until_it_ends() {
    let described = |status: &str| json!({"executionArn": "e", "input": "{\"a\":1}", "output": "[2]", "status": status, "startDate": 1.5, "redriveCount": 0});
    let unavailable = "503 x\r\ncontent-length: 2\r\n\r\n{}".to_owned();
    let answers = vec![
        ok(&json!({"executionArn": "e", "startDate": 1.5})),
        ok(&described("RUNNING")),
        unavailable,
        ok(&described("SUCCEEDED")),
        ok(&described("SUCCEEDED")),
        ok(&described("TIMED_OUT")),
    ];
    let (executor, received, _folder) = executor_answered(answers).await;
    let arguments = json!({"StateMachineArn": "m", "Input": {"a": 1}});
    let resource = "arn:aws:states:::states:startExecution.sync";
    let outcome = executor.perform(task(resource, arguments.clone())).await;
    let TaskOutcome::Submitted(answer) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&answer["ExecutionArn"], &answer["StartDate"]), (&json!("e"), &json!(1500)));
    let token = "11111111-2222-4333-8444-555555555555";
    let sent = json!({"stateMachineArn": "m", "name": token, "input": r#"{"a":1}"#});
    assert_eq!(received.lock().unwrap()[0], sent);

    let shown = |status: &str, input: Value, output: Value| json!({"ExecutionArn": "e", "Input": input, "Output": output, "StartDate": 1500, "Status": status});
    let (input, output) = (json!("{\"a\":1}"), json!("[2]"));
    let ended = end_of(&executor, begun(resource, arguments.clone(), answer.clone())).await;
    assert_eq!(ended, TaskOutcome::Succeeded(shown("SUCCEEDED", input.clone(), output.clone())));
    let ended = end_of(&executor, begun(&format!("{resource}:2"), arguments.clone(), answer.clone())).await;
    assert_eq!(ended, TaskOutcome::Succeeded(shown("SUCCEEDED", json!({"a": 1}), json!([2]))));
    let ended = end_of(&executor, begun(resource, arguments.clone(), answer.clone())).await;
    assert_eq!(ended, failed("States.TaskFailed", &shown("TIMED_OUT", input, output).to_string()));
    assert_eq!(*received.lock().unwrap().last().unwrap(), json!({"executionArn": "e"}));

    executor.stop_job(begun(resource, arguments, answer)).await.unwrap();
    let cause = "The Task state in AWS Step Functions execution [arn:aws:states:eu-west-1:123456789012:execution:m:e] which was managing this resource was aborted";
    assert_eq!(*received.lock().unwrap().last().unwrap(), json!({"executionArn": "e", "cause": cause}));
}

#[tokio::test]
async fn an_execution_that_was_started_before_a_crash_and_has_ended_is_not_refused() {
    let token = "11111111-2222-4333-8444-555555555555";
    let arn = format!("arn:aws:states:eu-west-1:123456789012:execution:m:{token}");
    let error = json!({"__type": "ExecutionAlreadyExists", "message": format!("Execution Already Exists: '{arn}'")});
    let error = error.to_string();
    let refused = format!("400 x\r\ncontent-length: {}\r\n\r\n{error}", error.len());
    let told = json!({"executionArn": arn, "status": "SUCCEEDED", "startDate": 1.5, "stopDate": 2.5});
    let resource = "arn:aws:states:::states:startExecution.sync";
    let (executor, _, _folder) = executor_answered(vec![refused.clone(), ok(&told)]).await;
    let outcome = executor.perform(task(resource, json!({"StateMachineArn": "m"}))).await;
    let TaskOutcome::Submitted(answer) = outcome else { panic!("{outcome:?}") };
    assert_eq!((&answer["ExecutionArn"], &answer["StartDate"]), (&json!(arn), &json!(1500)));
    assert_eq!(answer.get("Status"), None);
    // A name of somebody else's choosing is taken.
    let (executor, _, _folder) = executor_answered(vec![refused, ok(&told)]).await;
    let outcome = executor.perform(task(resource, json!({"StateMachineArn": "m", "Name": token}))).await;
    assert!(
        matches!(&outcome, TaskOutcome::Failed { error, .. } if error.contains("ExecutionAlreadyExists")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_container_that_fails_fails_the_task() {
    let stopped = |code: i64| json!({"tasks": [{"taskArn": "t", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": [{"exitCode": code}]}]});
    let placed = json!({"tasks": [{"taskArn": "t", "clusterArn": "c"}], "failures": []});
    let unplaced = json!({"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]});
    let answers = vec![ok(&placed), ok(&stopped(0)), ok(&stopped(1)), ok(&unplaced)];
    let (executor, received, _folder) = executor_answered(answers).await;
    let (resource, arguments) = ("arn:aws:states:::ecs:runTask.sync", json!({"TaskDefinition": "d"}));
    let outcome = executor.perform(task(resource, arguments.clone())).await;
    let TaskOutcome::Submitted(answer) = outcome else { panic!("{outcome:?}") };
    let TaskOutcome::Succeeded(result) = end_of(&executor, begun(resource, arguments.clone(), answer.clone())).await
    else {
        panic!("the task ended with 0");
    };
    assert_eq!((&result["TaskArn"], &result["Containers"]), (&json!("t"), &json!([{"ExitCode": 0}])));
    assert_eq!(received.lock().unwrap()[1], json!({"cluster": "c", "tasks": ["t"]}));
    let outcome = end_of(&executor, begun(resource, arguments.clone(), answer)).await;
    assert!(matches!(&outcome, TaskOutcome::Failed { error, .. } if error == "States.TaskFailed"), "{outcome:?}");
    let outcome = executor.perform(task(resource, arguments)).await;
    assert_eq!(outcome, failed("AmazonECS.Unknown", r#"[{"Reason":"RESOURCE:CPU"}]"#));
    let several = executor.perform(task(resource, json!({"TaskDefinition": "d", "Count": 2}))).await;
    assert_eq!(several, failed("States.Runtime", "`ecs:runTask.sync` waits for one task: use a Map for several"));
}

#[tokio::test]
async fn a_job_that_its_service_does_not_know_is_not_waited_for_without_end() {
    let missing = json!({"tasks": [], "failures": [{"arn": "t", "reason": "MISSING"}]});
    let placed = json!({"Tasks": [{"TaskArn": "t", "ClusterArn": "c"}]});
    let stopped =
        json!({"tasks": [{"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": []}]});
    let (ecs, batch) = ("arn:aws:states:::ecs:runTask.sync", "arn:aws:states:::batch:submitJob.sync");
    let build = "arn:aws:states:::codebuild:startBuild.sync";
    for (resource, begin, told, cause) in [
        (ecs, placed.clone(), missing.clone(), r#"{"Failures":[{"Arn":"t","Reason":"MISSING"}],"Tasks":[]}"#),
        (batch, json!({"JobId": "j"}), json!({"jobs": []}), r#"{"Jobs":[]}"#),
        (
            build,
            json!({"Build": {"Id": "p:1"}}),
            json!({"builds": [], "buildsNotFound": ["p:1"]}),
            r#"{"Builds":[],"BuildsNotFound":["p:1"]}"#,
        ),
    ] {
        // It answers the same again and again.
        let (executor, received, _folder) = executor_answered(vec![ok(&told)]).await;
        let waiting = end_of(&executor, begun(resource, json!({}), begin));
        let outcome = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it ends");
        assert_eq!(outcome, failed("States.TaskFailed", cause), "{resource}");
        assert!(received.lock().unwrap().len() > 10, "{resource}: a job may be known later");
    }
    let (executor, _, _folder) = executor_answered(vec![ok(&missing), ok(&missing), ok(&stopped)]).await;
    let outcome = end_of(&executor, begun(ecs, json!({}), placed)).await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_build_is_started_once_by_its_token() {
    let (token, given) = (json!("11111111-2222-4333-8444-555555555555"), json!("mine"));
    for (action, parameters) in [
        ("startBuild", json!({"ProjectName": "p"})),
        ("startBuildBatch", json!({"ProjectName": "p"})),
        ("retryBuildBatch", json!({"Id": "p:1"})),
    ] {
        let (executor, received, _folder) = executor_answered(vec![ok(&json!({}))]).await;
        let resource = format!("arn:aws:states:::codebuild:{action}.sync");
        let mut own = parameters.clone();
        own["IdempotencyToken"] = given.clone();
        executor.perform(task(&resource, parameters)).await;
        executor.perform(task(&resource, own)).await;
        let sent: Vec<Value> =
            received.lock().unwrap().iter().map(|request| request["idempotencyToken"].clone()).collect();
        assert_eq!(sent, [token.clone(), given.clone()], "{action}");
    }
}

#[tokio::test]
async fn what_is_deleted_is_waited_for_until_it_is_gone() {
    let gone = r#"{"__type":"ResourceNotFoundException","message":"No cluster found"}"#;
    let gone = format!("404 x\r\ncontent-length: {}\r\n\r\n{gone}", gone.len());
    let deleting = ok(&json!({"cluster": {"name": "c", "status": "DELETING"}}));
    let (executor, received, _folder) = executor_answered(vec![deleting, gone]).await;
    let task = begun("arn:aws:states:::eks:deleteCluster.sync", json!({"Name": "c"}), json!({}));
    assert_eq!(end_of(&executor, task).await, TaskOutcome::Succeeded(json!({})));
    assert_eq!(received.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_step_of_emr_has_the_integrations_own_names() {
    let answers =
        vec![ok(&json!({"StepIds": ["s-1"]})), ok(&json!({"Step": {"Id": "s-1", "Status": {"State": "COMPLETED"}}}))];
    let (executor, received, _folder) = executor_answered(answers).await;
    let arguments = json!({"ClusterId": "j-1", "Step": {"Name": "n", "HadoopJarStep": {"Jar": "x"}}});
    let resource = "arn:aws:states:::elasticmapreduce:addStep.sync";
    let outcome = executor.perform(task(resource, arguments.clone())).await;
    let TaskOutcome::Submitted(answer) = outcome else { panic!("{outcome:?}") };
    assert_eq!(answer["StepId"], json!("s-1"));
    let ended = end_of(&executor, begun(resource, arguments, answer)).await;
    let step = json!({"Step": {"Id": "s-1", "Status": {"State": "COMPLETED"}}, "StepId": "s-1"});
    assert_eq!(ended, TaskOutcome::Succeeded(step));
    let sent = received.lock().unwrap();
    assert_eq!(sent[0]["JobFlowId"], json!("j-1"));
    assert_eq!(sent[1], json!({"ClusterId": "j-1", "StepId": "s-1"}));
}

#[tokio::test]
async fn a_model_answers_with_its_body_as_json() {
    let body = json!({"results": [1]});
    let (executor, received, _folder) = executor_answered(vec![ok(&body)]).await;
    let invoke = |arguments| executor.perform(task("arn:aws:states:::bedrock:invokeModel", arguments));
    let outcome = invoke(json!({"ModelId": "m", "Body": {"prompt": "p"}})).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result["Body"], body);
    assert_eq!(received.lock().unwrap()[0], json!({"prompt": "p"}));
    let outcome = invoke(json!({"ModelId": "m", "Input": {"S3Uri": "s3://b/k"}})).await;
    assert!(matches!(&outcome, TaskOutcome::Failed { cause, .. } if cause.contains("`Input`")), "{outcome:?}");
}

#[tokio::test]
async fn this_process_is_called_as_itself_and_another_accounts_step_functions_by_its_role() {
    let (own, asked) = answering(vec![ok(&json!({"executionArn": "own", "startDate": 1}))]).await;
    let session = session();
    let answers = vec![session, ok(&json!({"executionArn": "theirs", "startDate": 1}))];
    let (executor, received, _folder) = executor_answered(answers).await;
    let executor = executor.with_own_states(aws_at(own));
    let start = |account: &str| {
        let mut task = task("arn:aws:states:::states:startExecution", json!({"StateMachineArn": "m"}));
        task.scheduled.role_arn = Some(format!("arn:aws:iam::{account}:role/r"));
        executor.perform(task)
    };
    for (account, expected) in [("123456789012", "own"), ("999999999999", "theirs")] {
        let outcome = start(account).await;
        let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
        assert_eq!(result["ExecutionArn"], json!(expected));
    }
    assert_eq!(asked.lock().unwrap().len(), 1);
    let assumed = received.lock().unwrap()[0].to_string();
    assert!(assumed.contains("AssumeRole") && assumed.contains("999999999999"), "{assumed}");
}

#[tokio::test]
async fn the_role_of_the_credentials_is_assumed_for_every_integration() {
    let session = session();
    for (resource, arguments) in [
        ("arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": "q", "MessageBody": "b"})),
        ("arn:aws:states:::lambda:invoke", json!({"FunctionName": "f"})),
        ("arn:aws:states:::codebuild:stopBuild", json!({"Id": "i"})),
        ("arn:aws:states:::aws-sdk:sqs:listQueues", json!({})),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", json!({})),
    ] {
        let (executor, received, _folder) = executor_answered(vec![session.clone(), ok(&json!({}))]).await;
        let mut task = task(resource, arguments);
        task.scheduled.role_arn = Some("arn:aws:iam::999999999999:role/r".to_owned());
        assert!(matches!(executor.perform(task).await, TaskOutcome::Succeeded(_)), "{resource}");
        let assumed = received.lock().unwrap()[0].to_string();
        assert!(assumed.contains("AssumeRole") && assumed.contains("role%2Fr"), "{resource}: {assumed}");
    }
}
