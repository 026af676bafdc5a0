//! `retention_days`: `serve` prunes what is older at its start.

use std::process::Command;

use end_to_end::{Account, Serve, python};
use serde_json::json;

#[test]
fn an_execution_that_ended_long_ago_is_gone_after_the_next_start() {
    let (Some(account), Some(interpreter)) = (Account::start(), python()) else { return };
    let mut serve = Serve::start("account: \"123456789012\"\nretention_days: 2\n", &account.url);
    let python = |serve: &Serve, script: &str| {
        let begin = r#"
import time, botocore.config
states = client('stepfunctions', config=botocore.config.Config(inject_host_prefix=False))
machine = 'arn:aws:states:us-east-1:123456789012:stateMachine:m'
execution = machine.replace('stateMachine', 'execution') + ':'
def status(name):
    try: return states.describe_execution(executionArn=execution + name)['status']
    except botocore.exceptions.ClientError as error: return error.response['Error']['Code']
"#;
        account.python_with(&serve.url(), &serve.data().join("credentials"), &format!("{begin}{script}"))
    };
    let before = python(
        &serve,
        r#"
definition = dict(StartAt='S', States=dict(S=dict(Type='Succeed')))
states.create_state_machine(name='m', definition=json.dumps(definition), roleArn='arn:aws:iam::123456789012:role/r')
for name in ('old', 'new'): states.start_execution(stateMachineArn=machine, name=name)
while 'RUNNING' in (status('old'), status('new')): time.sleep(.02)
answer([status('old'), status('new')])
"#,
    );
    assert_eq!(before, json!(["SUCCEEDED", "SUCCEEDED"]));
    serve.kill();
    let three_days_ago = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(\"update executions set stopped_at = stopped_at - 3 * 86400 * 1000000 where name = 'old'\")\nc.commit()";
    let file = serve.data().join("rectify.sqlite");
    assert!(Command::new(interpreter).args(["-c", three_days_ago]).arg(file).status().unwrap().success());
    serve.restart(&[]);
    serve.wait_until_ready();
    let after = python(
        &serve,
        r#"
end = time.time() + 30
while status('old') == 'SUCCEEDED' and time.time() < end: time.sleep(.02)
gone = status('old')
listed = [run['name'] for run in states.list_executions(stateMachineArn=machine)['executions']]
states.start_execution(stateMachineArn=machine, name='old')
answer([gone, status('new'), listed, status('old') in ('RUNNING', 'SUCCEEDED')])
"#,
    );
    assert_eq!(after, json!(["ExecutionDoesNotExist", "SUCCEEDED", ["new"], true]));
}
