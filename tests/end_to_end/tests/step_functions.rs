//! Activities, Express, redrives, versions and aliases by boto3.

use end_to_end::{Account, Serve};
use serde_json::json;

/// What every script begins with.
const BEGIN: &str = r#"
import time
states = client('stepfunctions', config=botocore.config.Config(inject_host_prefix=False, read_timeout=70, retries=dict(total_max_attempts=1)))
role = 'arn:aws:iam::123456789012:role/r'
def machine(name, definition, **more): return states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role, **more)
def task(arn, **more): return {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": arn, "End": True, **more}}}
def ended(run):
    while (described := states.describe_execution(executionArn=run))['status'] == 'RUNNING': time.sleep(.02)
    return described
def refused(call, **arguments):
    try: call(**arguments); return 'not refused'
    except botocore.exceptions.ClientError as error: return error.response['Error']['Code']
"#;

fn python(account: &Account, serve: &Serve, script: &str) -> serde_json::Value {
    let script = format!("import botocore.config\n{BEGIN}{script}");
    account.python_with(&serve.url(), &serve.data().join("credentials"), &script)
}

#[test]
fn an_activity_task_that_waits_survives_a_kill() {
    let Some(account) = Account::start() else { return };
    let mut serve = Serve::start("{}", &account.url);
    let before = python(
        &account,
        &serve,
        r#"
activity = states.create_activity(name='approve', tags=[dict(key='team', value='blue')])['activityArn']
same = states.create_activity(name='approve')['activityArn'] == activity
work = machine('work', task(activity, HeartbeatSeconds=60))['stateMachineArn']
runs = [states.start_execution(stateMachineArn=work, name=f'r{n}', input=json.dumps(n))['executionArn'] for n in range(2)]
got = states.get_activity_task(activityArn=activity, workerName='w')
states.send_task_heartbeat(taskToken=got['taskToken'])
time.sleep(.3)
answer([same, got['input'], got['taskToken'], activity, runs, states.list_tags_for_resource(resourceArn=activity)['tags'],
    [a['name'] for a in states.list_activities()['activities']], states.describe_activity(activityArn=activity)['name']])
"#,
    );
    let [same, input, token, activity, runs, tags, listed, name] = before
        .as_array()
        .and_then(|said| <&[_; 8]>::try_from(said.as_slice()).ok())
        .unwrap_or_else(|| panic!("{before}"));
    let told = (same, input, tags, listed, name);
    let expected =
        (json!(true), json!("0"), json!([{"key": "team", "value": "blue"}]), json!(["approve"]), json!("approve"));
    assert_eq!(told, (&expected.0, &expected.1, &expected.2, &expected.3, &expected.4));
    serve.kill();
    serve.restart(&[]);
    serve.wait_until_ready();
    let script = format!(
        "token, activity, runs = {token}, {activity}, {runs}\n{}",
        r#"
got = states.get_activity_task(activityArn=activity, workerName='w')
states.send_task_success(taskToken=token, output='"first"')
states.send_task_failure(taskToken=got['taskToken'], error='No', cause='c')
first, second = [ended(run) for run in runs]
late = refused(states.send_task_success, taskToken=token, output='1')
bad = refused(states.send_task_success, taskToken=token, output='{')
states.delete_activity(activityArn=activity)
gone = refused(states.get_activity_task, activityArn=activity)
answer([got['input'], first['output'], second['error'], late, bad, gone, [e['type'] for e in states.get_execution_history(executionArn=runs[0])['events'][2:5]]])
"#
    );
    let after = python(&account, &serve, &script);
    let expected = json!([
        "1",
        "\"first\"",
        "No",
        "TaskTimedOut",
        "InvalidOutput",
        "ActivityDoesNotExist",
        ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    ]);
    assert_eq!(after, expected);
}

#[test]
fn express_machines_answer_and_are_told_apart() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = python(
        &account,
        &serve,
        r#"
twice = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": "{% $states.input * 2 %}", "End": True}}}
logging = dict(level='OFF', includeExecutionData=True)
express = machine('express', twice, type='EXPRESS', loggingConfiguration=logging)['stateMachineArn']
done = states.start_sync_execution(stateMachineArn=express, name='n', input='21')
failed = states.start_sync_execution(stateMachineArn=express, input='"x"')
run = states.start_execution(stateMachineArn=express, name='n', input='1')['executionArn']
described = states.describe_state_machine(stateMachineArn=express)
standard = machine('standard', twice)['stateMachineArn']
answer(dict(
    done=[done['status'], done['output'], done['executionArn'].split(':')[5:8], sorted(done['billingDetails'])], failed=[failed['status'], failed['error']],
    asynchronous=run.split(':')[5:8], described=[described['type'], described['loggingConfiguration']],
    refused=[refused(states.describe_execution, executionArn=run), refused(states.list_executions, stateMachineArn=express), refused(states.redrive_execution, executionArn=run),
        refused(states.start_sync_execution, stateMachineArn=standard), refused(machine, name='w', definition=task('arn:aws:states:::lambda:invoke.waitForTaskToken'), type='EXPRESS')]))
"#,
    );
    let expected = json!({
        "done": ["SUCCEEDED", "42", ["express", "express", "n"], ["billedDurationInMilliseconds", "billedMemoryUsedInMB"]],
        "failed": ["FAILED", "States.QueryEvaluationError"],
        "asynchronous": ["express", "express", "n"], "described": ["EXPRESS", {"level": "OFF", "includeExecutionData": true}],
        "refused": ["InvalidArn", "StateMachineTypeNotSupported", "InvalidArn", "StateMachineTypeNotSupported", "InvalidDefinition"],
    });
    assert_eq!(said, expected);
}

#[test]
fn executions_are_redriven_and_machines_have_versions() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = python(
        &account,
        &serve,
        r#"
activity = states.create_activity(name='a')['activityArn']
work = machine('work', task(activity))['stateMachineArn']
run = states.start_execution(stateMachineArn=work, input='7')['executionArn']
states.send_task_failure(taskToken=states.get_activity_task(activityArn=activity)['taskToken'], error='No')
before = ended(run)
dates = [states.redrive_execution(executionArn=run, clientToken='t')['redriveDate'] for _ in range(2)]
states.send_task_success(taskToken=states.get_activity_task(activityArn=activity)['taskToken'], output='1')
after = ended(run)
listed = states.list_executions(stateMachineArn=work)['executions'][0]
types = [e['type'] for e in states.get_execution_history(executionArn=run)['events'][4:]]
passes = lambda result: {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": result, "End": True}}}
made = machine('versions', passes(1), publish=True, versionDescription='first')
arn, first = made['stateMachineArn'], made['stateMachineVersionArn']
second = states.update_state_machine(stateMachineArn=arn, definition=json.dumps(passes(2)), publish=True)['stateMachineVersionArn']
routing = [dict(stateMachineVersionArn=first, weight=100), dict(stateMachineVersionArn=second, weight=0)]
alias = states.create_state_machine_alias(name='live', routingConfiguration=routing)['stateMachineAliasArn']
runs = [states.start_execution(stateMachineArn=a)['executionArn'] for a in (arn, first, second, alias)]
outputs = [ended(r)['output'] for r in runs]
by_alias = states.describe_execution(executionArn=runs[3])
answer(dict(
    before=[before['status'], before['redriveCount'], before['redriveStatus']], once=dates[0] == dates[1],
    after=[after['status'], after['redriveCount'], after['redriveStatus'], after['redriveStatusReason'], after['redriveDate'] == dates[0]],
    listed=[listed['redriveCount'], listed['redriveDate'] == dates[0]], types=types, again=refused(states.redrive_execution, executionArn=run),
    outputs=outputs, by_alias=[by_alias['stateMachineAliasArn'] == alias, by_alias['stateMachineVersionArn'] == first],
    executions=[len(states.list_executions(stateMachineArn=a)['executions']) for a in (arn, first, second, alias)],
    kept=refused(states.delete_state_machine_version, stateMachineVersionArn=second),
    began_with=json.loads(states.describe_state_machine_for_execution(executionArn=runs[1])['definition'])['States']['A']['Result']))
"#,
    );
    let expected = json!({
        "before": ["FAILED", 0, "REDRIVABLE"], "once": true,
        "after": ["SUCCEEDED", 1, "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven", true], "listed": [1, true],
        "types": ["ActivityFailed", "ExecutionFailed", "ExecutionRedriven", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"],
        "again": "ExecutionNotRedrivable", "outputs": ["2", "1", "2", "1"], "by_alias": [true, true], "executions": [4, 2, 1, 1],
        "kept": "ConflictException", "began_with": 1,
    });
    assert_eq!(said, expected);
}

#[test]
fn what_the_api_refuses_and_describes_is_as_at_aws() {
    let Some(account) = Account::start() else { return };
    let serve = Serve::start("{}", &account.url);
    let said = python(
        &account,
        &serve,
        r#"
def told(call, **arguments):
    try: call(**arguments); return 'not refused'
    except botocore.exceptions.ClientError as error: return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}".replace(arn, 'ARN')
passes = lambda result: {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": result, "End": True}}}
make = dict(publish=True, versionDescription='d', tags=[dict(key='k', value='v')])
made = machine('m', passes(1), **make)
arn = made['stateMachineArn']
again = machine('m', passes(1), **{**make, 'tags': [dict(key='k', value='w')]})
updated = states.update_state_machine(stateMachineArn=arn, definition=json.dumps(passes(2)), publish=True)
route = lambda *versions: [dict(stateMachineVersionArn=f'{arn}:{v}', weight=100 // len(versions)) for v in versions]
alias = dict(name='live', routingConfiguration=route(1, 2))
live = states.create_state_machine_alias(**alias)['stateMachineAliasArn']
run = states.start_execution(stateMachineArn=live, name='e', traceHeader='Root=1-2-3')['executionArn']
described = ended(run)
failing = machine('f', {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}})['stateMachineArn']
failed = states.start_execution(stateMachineArn=failing)['executionArn']
ended(failed)
def redrive(token):
    date = states.redrive_execution(executionArn=failed, clientToken=token)['redriveDate']
    ended(failed)
    return date
first, second = redrive('a'), redrive('b')
waits = machine('w', {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}})['stateMachineArn']
waiting = states.start_execution(stateMachineArn=waits)['executionArn']
states.delete_state_machine(stateMachineArn=waits)
stopped = ended(waiting)['status']
hidden = states.describe_state_machine(stateMachineArn=arn, includedData='METADATA_ONLY')['definition']
activity = states.create_activity(name='a', encryptionConfiguration=dict(type='CUSTOMER_MANAGED_KMS_KEY', kmsKeyId='k'))['activityArn']
states.delete_state_machine_alias(stateMachineAliasArn=live)
states.delete_state_machine_alias(stateMachineAliasArn=live)
answer(dict(
    same=[again['stateMachineVersionArn'] == made['stateMachineVersionArn'], states.list_tags_for_resource(resourceArn=arn)['tags']],
    updated=updated['stateMachineVersionArn'].replace(arn, ''), trace=described['traceHeader'], hidden=hidden, stopped=stopped,
    redrives=[redrive('a') == first, redrive('b') == second, states.describe_execution(executionArn=failed)['redriveCount']],
    encryption=states.describe_activity(activityArn=activity)['encryptionConfiguration'],
    refused=[
        told(machine, name='m', definition=passes(1)), told(machine, name='m', definition=passes(3), **make),
        told(states.create_state_machine_alias, name='other', routingConfiguration=route(7)),
        told(states.delete_state_machine, stateMachineArn=f'{arn}:1'), told(states.describe_state_machine, stateMachineArn=waits),
        told(states.list_executions, stateMachineArn=arn, redriveFilter='REDRIVEN'), told(states.list_executions, stateMachineArn=arn, statusFilter='PENDING_REDRIVE'),
        told(states.list_executions), told(states.create_activity, name='a'), told(machine, name='t', definition=passes(1), tags=[dict(key='aws:x', value='')]),
        told(machine, name='t', definition=passes(1), encryptionConfiguration=dict(type='CUSTOMER_MANAGED_KMS_KEY')),
        told(states.list_state_machine_versions, stateMachineArn=arn, nextToken='abcd'), told(states.get_execution_history, executionArn=run, nextToken='abcd'),
        told(states.test_state, definition='{"Type": "Succeed"}', roleArn='r')]))
"#,
    );
    let activity = format!(
        "ActivityAlreadyExists: Activity Already Exists: '{}'. Its encryptionConfiguration may not be updated",
        "arn:aws:states:us-east-1:123456789012:activity:a"
    );
    let expected = json!({
        "same": [true, [{"key": "k", "value": "v"}]], "updated": ":2", "trace": "Root=1-2-3", "hidden": "{}", "stopped": "ABORTED",
        "redrives": [true, true, 2], "encryption": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k", "kmsDataKeyReusePeriodSeconds": 300},
        "refused": [
            "StateMachineAlreadyExists: State Machine Already Exists: 'ARN'", "StateMachineAlreadyExists: State Machine Already Exists: 'ARN'",
            "ResourceNotFound: Request references a resource that does not exist.",
            "ValidationException: This operation takes no qualified state machine ARN: 'ARN:1'",
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{}'", "arn:aws:states:us-east-1:123456789012:stateMachine:w"),
            "ValidationException: A redriveFilter can only be specified with a mapRunArn, and not with a stateMachineArn",
            "ValidationException: The statusFilter PENDING_REDRIVE can only be specified with a mapRunArn, and not with a stateMachineArn",
            "ValidationException: 1 validation error detected: Must provide a StateMachine ARN or MapRun ARN", activity,
            "ValidationException: The tag key 'aws:x' is refused: aws: is a prefix reserved for AWS use",
            "InvalidEncryptionConfiguration: Invalid Encryption Configuration: kmsKeyId must be specified where the type is CUSTOMER_MANAGED_KMS_KEY",
            "InvalidToken: Invalid Token: 'Invalid token'", "InvalidToken: Invalid Token: 'Invalid token'", "InvalidArn: Invalid Role Arn: 'r'"
        ],
    });
    assert_eq!(said, expected);
}
