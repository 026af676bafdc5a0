//! An execution keeps the definition that it began with, whatever becomes of its machine.

use end_to_end::{Account, Serve};
use serde_json::{Value, json};

/// What every script begins with.
const BEGIN: &str = r#"
import time, botocore.config
states = client('stepfunctions', config=botocore.config.Config(inject_host_prefix=False, read_timeout=70, retries=dict(total_max_attempts=1)))
def definition(result):
    work = dict(Type='Task', Resource=activity, ResultPath=None, Next='Say')
    return json.dumps(dict(StartAt='Work', States=dict(Work=work, Say=dict(Type='Pass', Result=result, End=True))))
def ended(run):
    while (described := states.describe_execution(executionArn=run))['status'] == 'RUNNING': time.sleep(.02)
    return described
def begin(name): return states.start_execution(stateMachineArn=machine, name=name)['executionArn']
def work(): return states.get_activity_task(activityArn=activity)['taskToken']
def done(): states.send_task_success(taskToken=work(), output='{}')
def output(run): return json.loads(ended(run)['output'])
def says(run): return json.loads(states.describe_state_machine_for_execution(executionArn=run)['definition'])['States']['Say']['Result']
"#;

#[test]
fn no_update_changes_what_has_begun_and_no_deletion_what_is_on_record() {
    let Some(account) = Account::start() else { return };
    let mut serve = Serve::start("account: \"123456789012\"\n", &account.url);
    let python = |serve: &Serve, known: &Value, script: &str| {
        let known = format!("activity, machine, runs = {known}");
        account.python_with(&serve.url(), &serve.data().join("credentials"), &format!("{BEGIN}{known}\n{script}"))
    };
    let known = python(
        &serve,
        &json!(["", "", {}]),
        r#"
activity = states.create_activity(name='work')['activityArn']
machine = states.create_state_machine(name='m', definition=definition('old'), roleArn='arn:aws:iam::123456789012:role/r')['stateMachineArn']
failed = begin('failed')
states.send_task_failure(taskToken=work(), error='No')
ended(failed)
running = begin('running')
states.update_state_machine(stateMachineArn=machine, definition=definition('new'))
answer([activity, machine, dict(failed=failed, running=running)])
"#,
    );
    // What is kept in memory can't help.
    serve.kill();
    serve.restart(&[]);
    serve.wait_until_ready();
    let after_update = python(
        &serve,
        &known,
        r#"
done()
running = output(runs['running'])
states.redrive_execution(executionArn=runs['failed'])
done()
redriven = output(runs['failed'])
new = begin('new')
done()
answer([running, redriven, output(new), [says(run) for run in (runs['running'], runs['failed'], new)],
    json.loads(states.describe_state_machine(stateMachineArn=machine)['definition'])['States']['Say']['Result']])
"#,
    );
    assert_eq!(after_update, json!(["old", "old", "new", ["old", "old", "new"], "new"]));
    let after_deletion = python(
        &serve,
        &known,
        r#"
last = begin('last')
states.delete_state_machine(stateMachineArn=machine)
try: begin('refused'); refused = ''
except botocore.exceptions.ClientError as error: refused = error.response['Error']['Code']
answer([refused in ('StateMachineDeleting', 'StateMachineDoesNotExist'), ended(last)['status'], says(last), says(runs['failed'])])
"#,
    );
    assert_eq!(after_deletion, json!([true, "ABORTED", "new", "old"]));
}
