//! `rectify run`: states are shown while they happen.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test tells what broke by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    thread,
};

use end_to_end::rectify;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// Starts `rectify run` on these states.
fn start(states: &Value, more: &[&str]) -> (Child, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let first = states.as_object().unwrap().keys().next().unwrap();
    let playbook = json!({"QueryLanguage": "JSONata", "StartAt": first, "States": states});
    fs::write(folder.path().join("playbook.asl.json"), playbook.to_string()).unwrap();
    fs::write(folder.path().join("input.json"), r#"{"n": 1}"#).unwrap();
    let child = Command::new(rectify())
        .args(["run", "playbook.asl.json", "--input", "input.json"])
        .args(more)
        .current_dir(folder.path())
        .env("AWS_ENDPOINT_URL", NOBODY)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rectify run");
    (child, folder)
}

/// Exit status, standard output and standard error of one that ends by itself.
fn run(states: &Value, more: &[&str]) -> (Option<i32>, String, String) {
    let (child, _folder) = start(states, more);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Ends it by Ctrl-C once it has said `line`; what it said from then on, and its exit status.
fn interrupted_at(line: &str, states: &Value, more: &[&str]) -> (Option<i32>, String, String) {
    let (mut child, _folder) = start(states, more);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut output = child.stdout.take().unwrap();
    let reading = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let mut said = String::new();
    while !said.contains(line) {
        assert!(errors.read_line(&mut said).unwrap() > 0, "it ended before it said `{line}`:\n{said}");
    }
    assert!(child.try_wait().unwrap().is_none(), "it still runs");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    errors.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), reading.join().unwrap().unwrap(), said)
}

fn wait_an_hour() -> Value {
    json!({"First": {"Type": "Pass", "Next": "Pause"}, "Pause": {"Type": "Wait", "Seconds": 3600, "Next": "Last"}, "Last": {"Type": "Succeed"}})
}

#[test]
fn states_are_shown_while_it_runs_and_ctrl_c_stops_it() {
    let (status, output, said) = interrupted_at("waits until", &wait_an_hour(), &[]);
    assert_eq!((status, output.as_str()), (Some(1), ""), "{said}");
    let position = |text: &str| said.find(text).unwrap_or_else(|| panic!("no `{text}` in\n{said}"));
    let order = [
        "started",
        "First (Pass)",
        "First done after",
        "Pause (Wait)",
        "waits until",
        "stopping the execution",
        "stopped: Interrupted",
        "ABORTED: Interrupted",
    ];
    assert!(order.windows(2).all(|pair| position(pair[0]) < position(pair[1])), "{said}");
    assert!(!said.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn history_events_come_one_a_line_as_they_happen() {
    let (status, output, said) = interrupted_at("waits until", &wait_an_hour(), &["--format", "jsonl"]);
    assert_eq!(status, Some(1), "{said}");
    let kinds: Vec<String> = output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds[..4], ["ExecutionStarted", "PassStateEntered", "PassStateExited", "WaitStateEntered"]);
    assert_eq!(kinds.last().unwrap(), "ExecutionAborted");
}

#[test]
fn the_output_alone_goes_to_standard_output() {
    let states = json!({
        "Both": {"Type": "Parallel", "Branches": [
            {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "End": true}}},
            {"StartAt": "Each", "States": {"Each": {"Type": "Map", "Items": "{% [1, 2] %}", "End": true,
                "ItemProcessor": {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": true}}}}}},
        ], "End": true},
    });
    let (status, output, said) = run(&states, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(serde_json::from_str::<Value>(&output).unwrap(), json!([{"n": 1}, [1, 2]]));
    for line in [
        "s  Both (Parallel)\n",
        "s    branch 0\n",
        "s    Left (Pass)\n",
        "s    Each (Map)\n",
        "s      2 items\n",
        "s      item 1\n",
        "s      In (Pass)\n",
        "s  Both done after ",
        "s  succeeded\n",
    ] {
        assert!(said.contains(line), "no `{line}` in\n{said}");
    }
}

#[test]
fn failures_and_retries_are_told() {
    let states = json!({
        "Try": {"Type": "Parallel", "Branches": [{"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "Mine", "Cause": "why not"}}}],
            "Retry": [{"ErrorEquals": ["Mine"], "IntervalSeconds": 1, "MaxAttempts": 1}], "End": true},
    });
    let (status, output, said) = run(&states, &[]);
    assert_eq!((status, output.as_str()), (Some(1), ""), "{said}");
    assert!(
        said.contains("Try failed\n")
            && said.contains("Try: attempt 2 in 1.0")
            && said.contains("FAILED: Mine: why not"),
        "{said}"
    );
}

#[test]
fn a_distributed_map_shows_its_counts() {
    let states = json!({
        "All": {"Type": "Map", "Items": "{% [1..5] %}", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Pause", "States": {"Pause": {"Type": "Wait", "Seconds": 3600, "End": true}}}},
    });
    let (status, _, said) = interrupted_at("5 running", &states, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("0 pending, 5 running, 0 succeeded, 0 failed") && said.contains("map run arn:"), "{said}");
}

/// A reader that has gone does not end the execution, and the exit status is its end; a disk that is full is told.
#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_cannot_be_written_ends_nothing() {
    let states = json!({"First": {"Type": "Pass", "Next": "Pause"}, "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Last"}, "Last": {"Type": "Fail", "Error": "Mine"}});
    let (mut child, _folder) = start(&states, &["--format", "jsonl"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("FAILED: Mine") && !said.contains("can't be written"), "{said}");

    let folder = tempfile::tempdir().unwrap();
    let playbook = json!({"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": true}}});
    fs::write(folder.path().join("playbook.asl.json"), playbook.to_string()).unwrap();
    let output = Command::new(rectify())
        .args(["run", "playbook.asl.json"])
        .current_dir(folder.path())
        .env("AWS_ENDPOINT_URL", NOBODY)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .stdin(Stdio::null())
        .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("succeeded") && said.contains("standard output can't be written"), "{said}");
}

/// The second signal ends the program at once, and what it has started and kept with it; the first may be a terminal that is gone.
#[cfg(target_os = "linux")]
#[test]
fn a_second_signal_leaves_no_process_and_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    // The function heeds no SIGTERM, so that the first signal alone does not end it soon.
    let script = "trap '' TERM; echo $$ > pid.new; mv pid.new pid; while :; do sleep 1; done";
    let configuration = json!({"account": "123456789012", "functions": {"f": {"command": ["/bin/sh", "-c", script], "code": ".", "timeout_seconds": 600}}});
    fs::write(folder.path().join("rectify.yaml"), configuration.to_string()).unwrap();
    let playbook = json!({"StartAt": "Call", "States": {"Call": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "End": true}}});
    fs::write(folder.path().join("playbook.asl.json"), playbook.to_string()).unwrap();
    let mut child = Command::new(rectify())
        .args(["run", "playbook.asl.json"])
        .current_dir(folder.path())
        .env("TMPDIR", &temporary)
        .env("AWS_ENDPOINT_URL", NOBODY)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let function = end_to_end::until("the function's process", || fs::read_to_string(folder.path().join("pid")).ok());
    let process = child.id().to_string();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &process]).status().unwrap().success());
    };
    signal("-HUP");
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("once more ends the program") {
        assert!(errors.read_line(&mut said).unwrap() > 0, "it ended before:\n{said}");
    }
    signal("-INT");
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    let stat = format!("/proc/{}/stat", function.trim());
    end_to_end::until("the end of the function's process", || {
        let text = fs::read_to_string(&stat).unwrap_or_default();
        (text.is_empty() || text.contains(") Z")).then_some(())
    });
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}
