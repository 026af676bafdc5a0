//! Functions as local processes: the examples in Python and Rust, and what happens when a process does not do what it should.

use std::{fs, path::Path, process::Command};

use end_to_end::{Account, Serve, example_function, function_python, rectify, root, until};
use serde_json::{Value, json};

/// What every script begins with.
const BEGIN: &str = r#"
import botocore.config, time
states = client('stepfunctions', config=botocore.config.Config(inject_host_prefix=False, read_timeout=70, retries=dict(total_max_attempts=1)))
role = 'arn:aws:iam::123456789012:role/r'
def machine(name, **state):
    definition = {"StartAt": "T", "States": {"T": {"Type": "Task", "End": True, **state}}}
    return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)['stateMachineArn']
def invoke(name, payload, resource='arn:aws:states:::lambda:invoke', **more):
    parameters = {"FunctionName": name, "Payload": payload, **more}
    arn = machine('m' + str(time.time_ns()), Resource=resource, Parameters=parameters)
    return states.start_execution(stateMachineArn=arn)['executionArn']
def ended(run):
    while (described := states.describe_execution(executionArn=run))['status'] == 'RUNNING': time.sleep(.02)
    return described
def output(run):
    described = ended(run)
    return json.loads(described['output']) if 'output' in described else [described['error'], described['cause']]
"#;

fn python(account: &Account, serve: &Serve, script: &str) -> Value {
    account.python_with(&serve.url(), &serve.data().join("credentials"), &format!("{BEGIN}{script}"))
}

/// The functions that the tests have, by the Python that runs them.
fn configuration(python: &Path) -> String {
    let probe = |more: &str| {
        let code = root().join("tests/end_to_end/functions");
        format!(
            "{{command: [{}, -m, awslambdaric, probe.handler], code: {}, timeout_seconds: 60{more}}}",
            json!(python.display().to_string()),
            json!(code.display().to_string())
        )
    };
    format!(
        "account: \"123456789012\"\nfunctions:\n  ours: {{runtime: provided.al2023, code: {}, timeout_seconds: 60}}\n  owner: {{command: [{}, -m, awslambdaric, function.handler], code: {}, runtime: python3.12, timeout_seconds: 60}}\n  probe: {}\n  single: {}\n  brief: {}\n",
        json!(example_function().display().to_string()),
        json!(python.display().to_string()),
        json!(root().join("examples/functions/python").display().to_string()),
        probe(""),
        probe(", concurrency: 1"),
        probe("").replace("timeout_seconds: 60", "timeout_seconds: 1"),
    )
}

/// An account, and a server with these functions; `None` where the test is skipped.
fn start() -> Option<(Account, Serve)> {
    let python = function_python()?;
    let account = Account::start()?;
    let serve = Serve::start(&configuration(&python), &account.url);
    Some((account, serve))
}

fn log(serve: &Serve, function: &str) -> String {
    fs::read_to_string(serve.data().join(format!("functions/{function}.log"))).unwrap_or_default()
}

fn is_gone(pid: u64) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => {
            !Command::new("kill").args(["-0", &pid.to_string()]).output().is_ok_and(|output| output.status.success())
        }
    }
}

#[test]
fn the_examples_in_python_and_rust_are_invoked() {
    let Some((account, serve)) = start() else { return };
    let said = python(
        &account,
        &serve,
        r#"
import base64
whole = output(invoke('ours', {"Bucket": "acme-logs"}, LogType='Tail'))
arn = 'arn:aws:lambda:us-east-1:123456789012:function:owner'
direct = machine('direct', Resource=arn, Parameters={"Tags": {"owner": "ada"}})
untagged = machine('untagged', Resource=arn + ':live')
by_sdk = 'arn:aws:states:::aws-sdk:lambda:invoke'
sdk, failed = [output(invoke(arn, payload, by_sdk)) for payload in ({"Tags": {"owner": "bob"}}, {})]
event = output(invoke('owner', {"Tags": {}}, InvocationType='Event'))
answer(dict(
    rust=whole['Payload'], keys=sorted(whole), version=whole['ExecutedVersion'], status=whole['StatusCode'],
    header=whole['SdkHttpMetadata']['HttpHeaders']['X-Amz-Executed-Version'], id=whole['SdkResponseMetadata']['RequestId'],
    tail=base64.b64decode(whole['LogResult']).decode(),
    direct=output(states.start_execution(stateMachineArn=direct)['executionArn'])['Owner'],
    untagged=output(states.start_execution(stateMachineArn=untagged, input='{}')['executionArn']),
    failing=output(invoke('owner', {})), ours=output(invoke('ours', {})),
    sdk=[sorted(sdk), json.loads(sdk['Payload'])['Owner'], failed['FunctionError'], failed['StatusCode']],
    event=[event['StatusCode'], event['Payload'], 'ExecutedVersion' in event]))
"#,
    );
    let id = said["id"].as_str().unwrap();
    assert_eq!(said["rust"], json!({"Bucket": "acme-logs", "Ours": true, "RequestId": id}));
    let keys = ["ExecutedVersion", "LogResult", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"];
    assert_eq!(said["keys"], json!(keys));
    assert_eq!(
        (&said["version"], &said["status"], &said["header"]),
        (&json!("$LATEST"), &json!(200), &json!("$LATEST"))
    );
    let tail = said["tail"].as_str().unwrap();
    let begin = format!("START RequestId: {id} Version: $LATEST\nlooking at acme-logs\nEND RequestId: {id}\nREPORT");
    assert!(tail.starts_with(&begin), "{tail}");
    assert!(log(&serve, "ours").contains(&format!(" {id} looking at acme-logs\n")), "{}", log(&serve, "ours"));
    assert_eq!(said["direct"], "ada");
    for failed in [&said["untagged"], &said["failing"]] {
        assert_eq!(failed[0], "NoOwner", "{failed}");
        let cause: Value = serde_json::from_str(failed[1].as_str().unwrap()).unwrap();
        assert_eq!(cause["errorMessage"], "the tags name no owner");
        let keys: Vec<&str> = cause.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["errorMessage", "errorType", "requestId", "stackTrace"]);
    }
    assert!(said["ours"][1].as_str().unwrap().contains("the payload names no Bucket"), "{said}");
    assert_eq!(said["sdk"], json!([["ExecutedVersion", "Payload", "StatusCode"], "bob", "Unhandled", 200]));
    assert_eq!(said["event"], json!([202, {}, false]));
    until("the invocation that nobody waited for", || {
        (log(&serve, "owner").matches("REPORT RequestId: ").count() == 6).then_some(())
    });
}

#[test]
fn processes_that_fail_are_told_and_replaced() {
    let Some((account, serve)) = start() else { return };
    let said = python(
        &account,
        &serve,
        r#"
import os, signal
def probe(name, do): return output(invoke(name, {"do": do}))
first, again = probe('single', 'pid'), probe('single', 'pid')
killed = invoke('single', {"do": "sleep"})
log = os.path.join(os.environ['AWS_SHARED_CREDENTIALS_FILE'], '../functions/single.log')
while 'doing sleep' not in open(os.path.normpath(log)).read(): time.sleep(.02)
throttled = output(invoke('single', {"do": "pid"}))
os.kill(first['Payload']['pid'], signal.SIGKILL)
killed = output(killed)
answer(dict(
    warm=first['Payload'] == again['Payload'], throttled=throttled, killed=killed,
    replaced=probe('single', 'pid')['Payload'] != first['Payload'],
    raised=probe('single', 'raise'), exit=probe('single', 'exit'), brief=probe('brief', 'sleep'), after=probe('brief', 'x')['Payload']['left']))
"#,
    );
    assert_eq!(
        (&said["warm"], &said["replaced"], &said["after"]),
        (&json!(true), &json!(true), &json!(true)),
        "{said}"
    );
    assert_eq!(said["throttled"][0], "Lambda.TooManyRequestsException");
    let cause = said["throttled"][1].as_str().unwrap();
    let begin =
        "Rate Exceeded. (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: ";
    assert!(cause.starts_with(begin), "{cause}");
    assert_eq!(said["raised"][0], "Refused");
    for (name, error, message) in [
        ("killed", "Runtime.ExitError", "Runtime exited with error: signal: killed"),
        ("exit", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("brief", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ] {
        assert_eq!(said[name][0], error, "{said}");
        let cause: Value = serde_json::from_str(said[name][1].as_str().unwrap()).unwrap();
        assert_eq!(cause["errorType"], error);
        let told = cause["errorMessage"].as_str().unwrap();
        assert!(told.starts_with("RequestId: ") && told.ends_with(&format!(" Error: {message}")), "{told}");
    }
}

#[test]
fn several_work_at_once_and_a_token_may_be_waited_for() {
    let Some((account, serve)) = start() else { return };
    let folder = json!(serve.folder.path().join("meeting").display().to_string());
    let script = format!(
        r#"
meeting = {{"do": "meet", "folder": {folder}, "count": 4}}
pids = [output(run)['Payload'] for run in [invoke('probe', meeting) for _ in range(4)]]
token = {{"do": "token", "token.$": "$$.Task.Token"}}
waiting = invoke('probe', token, 'arn:aws:states:::lambda:invoke.waitForTaskToken')
while not (submitted := [e for e in states.get_execution_history(executionArn=waiting)['events'] if e['type'] == 'TaskSubmitted']): time.sleep(.02)
told = json.loads(submitted[0]['taskSubmittedEventDetails']['output'])['Payload']['token']
states.send_task_success(taskToken=told, output='"came"')
answer([len(set(pids)), output(waiting)])
"#
    );
    assert_eq!(python(&account, &serve, &script), json!([4, "came"]));
}

#[test]
fn processes_end_with_the_server() {
    let Some((account, mut serve)) = start() else { return };
    let pid = |serve: &Serve| {
        let said = python(&account, serve, "answer(output(invoke('probe', {'do': 'pid'}))['Payload']['pid'])");
        said.as_u64().unwrap_or_else(|| panic!("{said}"))
    };
    // Killed, it can end nobody: a process that finds its Runtime API gone ends by itself.
    let python_process = pid(&serve);
    python(&account, &serve, "answer(output(invoke('ours', {'Bucket': 'b'})))");
    let of_rust = rust_processes(&serve);
    assert_eq!(of_rust.len(), usize::from(Path::new("/proc/self/stat").exists()), "{of_rust:?}");
    serve.kill();
    for pid in of_rust.into_iter().chain([python_process]) {
        until("the end of a function's process", || is_gone(pid).then_some(()));
    }
    // Asked to end, it ends them.
    serve.restart(&[]);
    serve.wait_until_ready();
    let second = pid(&serve);
    serve.terminate();
    until("the end of the server", || serve.has_ended().then_some(()));
    assert!(is_gone(second), "the process {second} is still there");
}

/// The processes of the example in Rust that this server started.
fn rust_processes(serve: &Serve) -> Vec<u64> {
    let server = serve.pid().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // "PID (name) state parent …"
        if let Some((name, rest)) = stat.rsplit_once(") ")
            && name.ends_with("(bootstrap")
            && rest.split(' ').nth(1) == Some(&server)
        {
            found.push(pid);
        }
    }
    found
}

#[test]
fn run_and_validate_know_functions() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let code = json!(example_function().display().to_string());
    let configuration = file(
        "rectify.yaml",
        &format!("account: \"123456789012\"\nfunctions:\n  ours: {{runtime: provided.al2023, code: {code}}}\n"),
    );
    let playbook = file(
        "ours.asl.json",
        r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "ours", "Payload": {"Bucket": "acme-x"}}, "OutputPath": "$.Payload.Ours", "End": true}}}"#,
    );
    let missing = file("missing.yaml", "functions:\n  ours: {runtime: provided.al2023, code: gone}\n");
    let unknown = file("unknown.yaml", "functions:\n  ours: {runtme: provided.al2023}\n");
    let run = |words: &[&str]| {
        let output = Command::new(rectify())
            .args(words)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (status, output, errors) = run(&["run", &playbook]);
    assert_eq!((status, output.trim()), (Some(0), "true"), "{errors}");
    assert!(errors.contains("the log of ours:") && errors.contains(" looking at acme-x"), "{errors}");
    assert_eq!(run(&["validate", &configuration]).0, Some(0));
    for (file, expected) in [(&missing, "no folder that is there"), (&unknown, "did you mean `runtime`?")] {
        let (status, output, _) = run(&["validate", file]);
        assert!(status == Some(1) && output.contains(expected), "{output}");
    }
}

#[test]
fn an_interrupted_run_ends_the_processes_of_its_functions() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let configuration =
        "account: \"123456789012\"\nfunctions:\n  f: {command: echo $$ > new && mv new pid && exec sleep 1000}\n";
    fs::write(path("rectify.yaml"), configuration).unwrap();
    let playbook = r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}}}"#;
    fs::write(path("f.asl.json"), playbook).unwrap();
    let mut run = Command::new(rectify())
        .args(["run", "f.asl.json"])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s")])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let pid = until("the start of the function", || fs::read_to_string(path("pid")).ok()).trim().parse().unwrap();
    assert!(Command::new("kill").args(["-TERM", &run.id().to_string()]).status().unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(1), "it was stopped");
    assert!(is_gone(pid));
}
