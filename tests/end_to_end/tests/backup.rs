//! `rectify backup` beside a running `serve`, restores of it, and a second process on the store.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test tells what broke by panicking"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use end_to_end::{Account, Serve, python, rectify};
use serde_json::{Value, json};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn backup(data: &Path, to: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(rectify())
        .args(["backup", "--data"])
        .arg(data)
        .arg("--to")
        .arg(to)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("rectify backup: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn event(id: &str) -> Value {
    json!({"version": "0", "id": id, "detail-type": "t", "source": "mine", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": {}})
}

/// Whether the event was new.
fn post(serve: &Serve, id: &str) -> bool {
    let answer =
        serve.ask("POST", "/events", Some(event(id).to_string().as_bytes())).unwrap_or_else(|| panic!("no answer"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["received"] == 1
}

/// Copies a backup and the keys into a data folder of a server of its own.
fn restored(serve: &Serve, file: &Path) -> Serve {
    let mut restored = Serve::prepare("account: \"123456789012\"\n", NOBODY);
    fs::create_dir(restored.data()).unwrap();
    fs::copy(file, restored.data().join("rectify.sqlite")).unwrap();
    for key in ["credentials", "api-key"] {
        fs::copy(serve.data().join(key), restored.data().join(key)).unwrap();
    }
    restored.restart(&[]);
    restored.wait_until_ready();
    restored
}

#[test]
fn what_was_acknowledged_before_a_backup_under_load_is_in_it() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let file = serve.folder.path().join("backup.sqlite");
    for number in 0..50 {
        assert!(post(&serve, &format!("before-{number}")));
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (serve, is_over) = (&serve, &is_over);
            scope.spawn(move || {
                (0..).take_while(|_| !is_over.load(Ordering::Relaxed)).for_each(|number| {
                    post(serve, &format!("during-{writer}-{number}"));
                });
            });
        }
        let (status, output, errors) = backup(&serve.data(), &file, &[]);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!((status, output.trim()), (Some(0), file.display().to_string().as_str()), "{errors}");
        assert!(errors.contains("checked"), "{errors}");
    });
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let (status, _, errors) = backup(&serve.data(), &file, &[]);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("is there already") && errors.contains("--overwrite"), "{errors}");
    let (status, _, errors) = backup(&serve.data(), &file, &["--overwrite"]);
    assert_eq!(status, Some(0), "{errors}");
    let (status, _, errors) = backup(&serve.folder.path().join("nowhere"), &serve.folder.path().join("other"), &[]);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("there is no store in"), "{errors}");
    let left =
        fs::read_dir(serve.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.contains("partial") && name != "other"), "nothing is left in part");

    for own in
        ["rectify.sqlite", "rectify.sqlite-wal", "rectify.sqlite-shm", "lock", "api-key", "../data/rectify.sqlite"]
    {
        let (status, _, errors) = backup(&serve.data(), &serve.data().join(own), &["--overwrite"]);
        assert_eq!(status, Some(2), "{own}: {errors}");
        assert!(errors.contains("belongs to the store itself"), "{own}: {errors}");
    }
    let (status, _, errors) = backup(&serve.data(), serve.folder.path(), &["--overwrite"]);
    assert!(status == Some(2) && errors.contains("is no regular file"), "{errors}");
    assert!(!post(&serve, "before-1"), "the store is what it was");

    let restored = restored(&serve, &file);
    for number in 0..50 {
        assert!(!post(&restored, &format!("before-{number}")), "before-{number} is there");
    }
}

/// A copy that meets a limit on the size of files is as good as on a full disk; one that was killed leaves a folder.
#[cfg(unix)]
#[test]
fn a_backup_that_cannot_be_made_leaves_nothing_and_names_its_target() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    assert!(post(&serve, "one"));
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join(".rectify-backup-killed.partial");
    fs::create_dir(&stale).unwrap();
    fs::write(stale.join("half"), "x").unwrap();
    let to = folder.path().join("b.sqlite");
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(rectify())
        .args(["backup", "--data"])
        .arg(serve.data())
        .arg("--to")
        .arg(&to)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains(&to.display().to_string()) && errors.contains("the copy can't be written"), "{errors}");
    assert!(errors.contains("--to"), "{errors}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_restored_store_goes_on_with_its_executions() {
    let Some(account) = Account::start() else { return };
    let mut serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let begin = r#"
import time
states = client('stepfunctions', config=__import__('botocore.config').config.Config(inject_host_prefix=False))
def ended(run):
    while (described := states.describe_execution(executionArn=run))['status'] == 'RUNNING': time.sleep(.02)
    return described
"#;
    let python = |serve: &Serve, script: &str| {
        account.python_with(&serve.url(), &serve.data().join("credentials"), &format!("{begin}{script}"))
    };
    let before = python(
        &serve,
        r#"
activity = states.create_activity(name='a')['activityArn']
definition = dict(StartAt='T', States=dict(T=dict(Type='Task', Resource=activity, End=True)))
machine = states.create_state_machine(name='m', definition=json.dumps(definition), roleArn='arn:aws:iam::123456789012:role/r')['stateMachineArn']
runs = [states.start_execution(stateMachineArn=machine, name=f'r{n}', input=json.dumps(n))['executionArn'] for n in range(3)]
token = states.get_activity_task(activityArn=activity)['taskToken']
states.send_task_success(taskToken=token, output='"done"')
ended(runs[0])
answer([activity, runs])
"#,
    );
    let file = serve.folder.path().join("backup.sqlite");
    let (status, _, errors) = backup(&serve.data(), &file, &[]);
    assert_eq!(status, Some(0), "{errors}");
    assert!(errors.contains("3 executions"), "{errors}");
    serve.kill();
    // Nobody has to run.
    let (status, _, errors) = backup(&serve.data(), &serve.folder.path().join("stopped.sqlite"), &[]);
    assert_eq!(status, Some(0), "{errors}");
    let restored = restored(&serve, &file);
    let after = python(
        &restored,
        &format!(
            "activity, runs = {before}\n{}",
            r#"
first = ended(runs[0])['output']
for _ in runs[1:]: states.send_task_success(taskToken=states.get_activity_task(activityArn=activity)['taskToken'], output='"later"')
answer([first, [ended(run)['output'] for run in runs[1:]]])
"#
        ),
    );
    assert_eq!(after, json!(["\"done\"", ["\"later\"", "\"later\""]]));
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    let second = Command::new(rectify())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(serve.data())
        .current_dir(serve.folder.path())
        .env("AWS_ENDPOINT_URL", NOBODY)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("rectify serve: {error}"));
    let errors = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{errors}");
    let pid = fs::read_to_string(serve.data().join("lock")).unwrap();
    assert!(errors.contains(&format!("in use by another process (pid {pid})")), "{errors}");
    assert!(errors.contains("stop that one, or give this one a folder of its own"), "{errors}");
    assert!(post(&serve, "one"), "the first goes on");
}

/// A page of the store's file that is overwritten is found where it is read, and nothing else suffers.
#[test]
fn a_damaged_store_is_told() {
    let Some(_) = python() else { return };
    let mut serve = Serve::start("account: \"123456789012\"\n", NOBODY);
    for number in 0..200 {
        post(&serve, &format!("e-{number}"));
    }
    serve.kill();
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('pragma wal_checkpoint(truncate)')\nprint(c.execute(\"select rootpage from sqlite_schema where name = 'events'\").fetchone()[0])";
    let file = serve.data().join("rectify.sqlite");
    let interpreter = python().unwrap_or_default();
    let output =
        Command::new(interpreter).args(["-c", script]).arg(&file).output().unwrap_or_else(|error| panic!("{error}"));
    let page: usize = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|error| panic!("{error}"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0xff);
    fs::write(&file, bytes).unwrap();
    serve.restart(&[]);
    serve.wait_until_ready();
    let answer =
        serve.ask("POST", "/events", Some(event("new").to_string().as_bytes())).unwrap_or_else(|| panic!("no answer"));
    let message = answer.body["message"].as_str().unwrap_or_default().to_owned();
    assert!(answer.status >= 500 && message.contains("restore a backup"), "{answer:?}");
    let (status, _, errors) = backup(&serve.data(), &serve.folder.path().join("b"), &[]);
    assert_eq!(status, Some(2), "{errors}");
    assert!(errors.contains("damaged") && !serve.folder.path().join("b").exists(), "{errors}");
    assert_eq!(serve.ask_with("GET", "/healthz", None, &[]).map(|answer| answer.status), Some(200));
}
