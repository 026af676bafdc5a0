//! The AWS wire protocol: boto3 as the foreign client.

use end_to_end::{Account, Serve};
use serde_json::json;

#[test]
fn boto3_runs_state_machines() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = account.python_with(
        &serve.url(),
        &serve.data().join("credentials"),
        r#"
import time
states = client('stepfunctions')
def refused(call, **arguments):
    try: call(**arguments); return 'not refused'
    except botocore.exceptions.ClientError as error: return error.response['Error']['Code']
definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": {"twice": "{% $states.input.n * 2 %}"}, "Next": "W"}, "W": {"Type": "Wait", "Seconds": 0, "End": True}}})
role = 'arn:aws:iam::123456789012:role/r'
machine = states.create_state_machine(name='double', definition=definition, roleArn=role)['stateMachineArn']
again = states.create_state_machine(name='double', definition=definition, roleArn=role + 'other')['stateMachineArn']
run = states.start_execution(stateMachineArn=machine, name='one', input='{"n": 21}')['executionArn']
while states.describe_execution(executionArn=run)['status'] == 'RUNNING': time.sleep(.02)
done = states.describe_execution(executionArn=run)
slow = states.create_state_machine(name='slow', definition=json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}), roleArn=role)['stateMachineArn']
waiting = states.start_execution(stateMachineArn=slow, name='w', input='{}')['executionArn']
same = states.start_execution(stateMachineArn=slow, name='w', input='{}')['executionArn'] == waiting
states.stop_execution(executionArn=waiting, error='Mine', cause='enough')
stopped = states.describe_execution(executionArn=waiting)
history = states.get_execution_history(executionArn=run)['events']
pages = [e['id'] for page in states.get_paginator('get_execution_history').paginate(executionArn=run, PaginationConfig=dict(PageSize=2)) for e in page['events']]
result = dict(
    account=machine.split(':')[4], idempotent=again == machine and same, output=json.loads(done['output']), name=done['name'],
    types=[e['type'] for e in history], reverse=[e['id'] for e in states.get_execution_history(executionArn=run, reverseOrder=True)['events']], pages=pages,
    bare=[sorted(k for k in e if k.endswith('Details') and e[k].get('input')) for e in states.get_execution_history(executionArn=run, includeExecutionData=False)['events'][:2]],
    metadata='input' in states.describe_execution(executionArn=run, includedData='METADATA_ONLY'),
    redriven=refused(states.list_executions, stateMachineArn=slow, statusFilter='PENDING_REDRIVE'),
    stopped=[stopped['status'], stopped['error'], stopped['cause']],
    machines=sorted(m['name'] for m in states.list_state_machines()['stateMachines'] if not m['name'].startswith('rectify-')),
    executions=[e['status'] for e in states.list_executions(stateMachineArn=slow)['executions']],
    filtered=states.list_executions(stateMachineArn=slow, statusFilter='SUCCEEDED')['executions'],
    described=json.loads(states.describe_state_machine(stateMachineArn=machine)['definition'])['StartAt'],
    elsewhere=client('stepfunctions') and boto3.client('stepfunctions', region_name='eu-west-1').list_state_machines()['stateMachines'],
    refused=[
        refused(states.create_state_machine, name='double', definition=definition.replace('* 2', '* 3'), roleArn=role),
        refused(states.create_state_machine, name='bad', definition='{"StartAt": "X"}', roleArn=role),
        refused(states.create_state_machine, name='a b', definition=definition, roleArn=role),
        refused(states.describe_execution, executionArn=run + 'x'),
        refused(states.start_execution, stateMachineArn=machine + 'x'),
        refused(states.start_execution, stateMachineArn=machine, input='{'),
        refused(states.start_execution, stateMachineArn=machine, name='one', input='{"n": 1}'),
        refused(states.describe_state_machine, stateMachineArn='nonsense'),
        refused(states.send_task_success, taskToken='nonsense', output='{}'),
        refused(states.send_task_success, taskToken='nonsense', output=json.dumps('a' * 262144)),
        refused(states.get_execution_history, executionArn=run, nextToken='YWJj'),
        refused(states.list_state_machines, nextToken='%%%'),
    ])
states.delete_state_machine(stateMachineArn=machine)
result['deleted'] = refused(states.start_execution, stateMachineArn=machine)
answer(result)
"#,
    );
    let expected = json!({
        "account": "123456789012", "idempotent": true, "output": {"twice": 42}, "name": "one",
        "types": ["ExecutionStarted", "PassStateEntered", "PassStateExited", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"],
        "reverse": [6, 5, 4, 3, 2, 1], "pages": [1, 2, 3, 4, 5, 6], "bare": [[], []], "metadata": false, "redriven": "ValidationException",
        "stopped": ["ABORTED", "Mine", "enough"], "machines": ["double", "slow"], "executions": ["ABORTED"], "filtered": [], "described": "A", "elsewhere": [],
        "refused": ["StateMachineAlreadyExists", "InvalidDefinition", "InvalidName", "ExecutionDoesNotExist", "StateMachineDoesNotExist", "InvalidExecutionInput",
            "ExecutionAlreadyExists", "InvalidArn", "InvalidToken", "ValidationException", "InvalidToken", "InvalidToken"],
        "deleted": "StateMachineDoesNotExist",
    });
    assert_eq!(said, expected);
}

#[test]
fn boto3_tests_single_states() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = account.python_with(
        &serve.url(),
        &serve.data().join("credentials"),
        r#"
states = client('stepfunctions')
role = 'arn:aws:iam::123456789012:role/r'
def test(definition, **more):
    try: got = states.test_state(definition=json.dumps(definition), **more)
    except botocore.exceptions.ClientError as error: return [error.response['Error'][k] for k in ('Code', 'Message')]
    del got['ResponseMetadata']
    return got
def mock(result, **more): return dict(mock=dict(result=json.dumps(result), **more))
here = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity", "End": True}
put = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Parameters": {"Entries.$": "$.e"}, "Next": "N", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}
both = {"Type": "Parallel", "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Succeed"}}}], "End": True}
machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Z"}, "Z": {"Type": "Fail", "Error": "E"}}}
account = json.loads(test(here, roleArn=role)['output'])['Account']
answer(dict(
    account=account, role=test(here), waiting=test(dict(here, Resource=here['Resource'] + '.waitForTaskToken'), roleArn=role), parallel=test(both),
    info=test(put, input='{"e": []}', **mock({"Entries": []})),
    debug=test(put, input='{"e": []}', inspectionLevel='DEBUG', mock=dict(errorOutput=dict(error='E', cause='c'))),
    named=test(machine, stateName='Z'), unnamed=test(machine, stateName='Y'),
    wrong=test(put, **mock({"Entries": 1})), loose=test(put, input='{"e": 1}', **mock({"Entries": 1}, fieldValidationMode='NONE'))['status'],
    both=test(put, mock=dict(result='1', errorOutput=dict(error='E'))), secrets=test(put, revealSecrets=True, **mock({})),
    context=test(put, context='{"Map": {}}', **mock({})), no_mock=test(put, context='{}'), variables=test(here, variables='[]', roleArn=role),
    input=test({"Type": "Succeed"}, input='{'), level=test({"Type": "Succeed"}, inspectionLevel='ALL')[0],
))
"#,
    );
    let invalid = |text: &str| json!(["ValidationException", text]);
    let unsupported = |text: &str| json!(["InvalidDefinition", format!("TestState API does not support {text}")]);
    let expected = json!({
        "account": "123456789012", "role": invalid("RoleArn must be specified when testing a Task state"),
        "waiting": unsupported("'.sync' or '.waitForTaskToken' integration patterns."),
        "parallel": unsupported("Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"),
        "info": {"output": "{\"Entries\":[]}", "nextState": "N", "status": "SUCCEEDED"},
        "debug": {
            "output": "{\"Error\":\"E\",\"Cause\":\"c\"}", "error": "E", "cause": "c", "nextState": "C", "status": "CAUGHT_ERROR",
            "inspectionData": {"input": "{\"e\": []}", "afterInputPath": "{\"e\": []}", "afterParameters": "{\"Entries\":[]}", "errorDetails": {"catchIndex": 0}},
        },
        "named": {"error": "E", "status": "FAILED"}, "unnamed": invalid("State not found in definition"),
        "wrong": invalid("Mock result schema validation error: Field 'Entries' must be an array"), "loose": "SUCCEEDED",
        "both": invalid("A test mock should have only one of the following fields: [result, errorOutput]."),
        "secrets": invalid("TestState does not support RevealSecrets when a mock is specified."),
        "context": invalid("Invalid Context object provided: 'Map' field is not supported when mocking a Context object"),
        "no_mock": invalid("TestState does not support Context when a mock is not specified."),
        "variables": invalid("Variables must be a valid JSON object"),
        "input": ["InvalidExecutionInput", "Invalid State Machine Execution Input: 'com.fasterxml.jackson.core.io.JsonEOFException: Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])\n at [Source: (String)\"{\"; line: 1, column: 2]'"],
        "level": "ValidationException",
    });
    assert_eq!(said, expected);
}

#[test]
fn boto3_puts_and_tests_events() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = account.python_with(
        &serve.url(),
        &serve.data().join("credentials"),
        r#"
events = client('events')
event = {"version": "0", "id": "1", "detail-type": "t", "source": "mine", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {"n": 300.0}}
def test(event, pattern):
    try: return events.test_event_pattern(Event=json.dumps(event), EventPattern=json.dumps(pattern))['Result']
    except botocore.exceptions.ClientError as error: return error.response['Error']['Code']
put = events.put_events(Entries=[dict(Source='mine', DetailType='t', Detail='{"a": 1}'), dict(Source='aws.s3', DetailType='t', Detail='{}'), dict(Source='mine', DetailType='t', Detail='[')])
answer(dict(
    tests=[test(event, {"detail": {"n": [300]}}), test(event, {"source": ["other"]}), test(event, {"source": "mine"}), test({k: v for k, v in event.items() if k != 'resources'}, {"source": ["mine"]}), test({k: v for k, v in event.items() if k != 'time'}, {"source": ["mine"]})],
    put=[put['FailedEntryCount']] + [e.get('ErrorCode', 'taken') for e in put['Entries']]))
"#,
    );
    assert_eq!(
        said,
        json!({"tests": [true, false, "InvalidEventPatternException", true, "ValidationException"], "put": [2, "taken", "NotAuthorizedForSourceException", "MalformedDetail"]})
    );
}

#[test]
fn a_wrong_key_and_a_changed_request_are_refused() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let wrong = serve.folder.path().join("wrong");
    std::fs::write(&wrong, "[rectify]\naws_access_key_id = AKIDWRONG00000000000\naws_secret_access_key = wrong\n")
        .unwrap();
    let secret = serve.folder.path().join("secret");
    let right = std::fs::read_to_string(serve.data().join("credentials")).unwrap();
    let lines: Vec<String> =
        right
            .lines()
            .map(|line| {
                if line.starts_with("aws_secret") {
                    "aws_secret_access_key = wrong".to_owned()
                } else {
                    line.to_owned()
                }
            })
            .collect();
    std::fs::write(&secret, lines.join("\n")).unwrap();
    let script = "try: client('stepfunctions').list_state_machines(); answer('let in')\nexcept botocore.exceptions.ClientError as error: answer([error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode']])";
    assert_eq!(account.python_with(&serve.url(), &wrong, script), json!(["UnrecognizedClientException", 400]));
    assert_eq!(account.python_with(&serve.url(), &secret, script), json!(["InvalidSignatureException", 400]));
}

#[test]
fn a_task_of_step_functions_calls_this_engine() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = account.python_with(
        &serve.url(),
        &serve.data().join("credentials"),
        r#"
import time
states = client('stepfunctions')
def machine(name, definition): return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn='arn:aws:iam::123456789012:role/r')['stateMachineArn']
def run(machine, **input):
    execution = states.start_execution(stateMachineArn=machine, input=json.dumps(input))['executionArn']
    while (described := states.describe_execution(executionArn=execution))['status'] == 'RUNNING': time.sleep(.02)
    return described
child = machine('child', {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": {"done": True}, "End": True}}})
task = lambda action: {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:sfn:{action}"}
parent = machine('parent', {"QueryLanguage": "JSONata", "StartAt": "Start", "States": {
    "Start": {**task('startExecution'), "Arguments": {"StateMachineArn": child, "Input": "{% $string({'n': 1}) %}"}, "Next": "Pause"},
    "Pause": {"Type": "Wait", "Seconds": 1, "Output": "{% $states.input %}", "Next": "Look"},
    "Look": {**task('describeExecution'), "Arguments": {"ExecutionArn": "{% $states.input.ExecutionArn %}"}, "Output": "{% $states.result.Status & ' ' & $states.result.Output %}", "End": True}}})
missing = machine('missing', {"StartAt": "Look", "States": {"Look": {**task('describeExecution'), "Parameters": {"ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:child:nobody"}, "End": True}}})
described = run(parent)
answer([described.get('output') or described, run(missing)['error']])
"#,
    );
    assert_eq!(said, json!(["\"SUCCEEDED {\\\"done\\\":true}\"", "Sfn.ExecutionDoesNotExistException"]));
}
