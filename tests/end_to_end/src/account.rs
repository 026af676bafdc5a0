//! An emulated AWS account, and boto3 as the foreign client.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{python, root};

/// An emulated account in a process of its own: moto, and a recorder that puts each changing call on a queue as the event that
/// CloudTrail would write. It ends with this value.
pub struct Account {
    process: Child,
    python: PathBuf,
    /// Where its API is.
    pub url: String,
    /// The queue that the recorder sends to.
    pub queue_url: String,
    key: String,
    secret: String,
}

impl Account {
    /// Starts one, or says that the test is skipped.
    pub fn start() -> Option<Account> {
        let python = python()?;
        let mut process = Command::new(&python)
            .arg(root().join("tools/demo/account.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap_or_else(|| panic!("the account has no output")));
        output.read_line(&mut line).unwrap_or_else(|error| panic!("the account's first line: {error}"));
        let said: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the account said `{line}`: {error}"));
        let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (url, queue_url, key, secret) =
            (text("url"), text("queue_url"), text("access_key_id"), text("secret_access_key"));
        Some(Account { process, python, url, queue_url, key, secret })
    }

    /// Runs Python as the IAM user alice: `client(service)` is boto3's client of the account; what `answer(value)` is given
    /// comes back.
    pub fn python(&self, script: &str) -> Value {
        let environment = [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ACCESS_KEY_ID", &self.key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret),
        ];
        run_python(&self.python, &environment, script)
    }

    /// Runs Python with boto3 speaking to another endpoint with the credentials of a file.
    pub fn python_with(&self, url: &str, credentials: &std::path::Path, script: &str) -> Value {
        let credentials = credentials.display().to_string();
        let environment =
            [("AWS_ENDPOINT_URL", url), ("AWS_SHARED_CREDENTIALS_FILE", &credentials), ("AWS_PROFILE", "rectify")];
        run_python(&self.python, &environment, script)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn run_python(python: &std::path::Path, environment: &[(&str, &str)], script: &str) -> Value {
    let prelude = "import json, boto3, botocore.exceptions\ndef client(service, **more): return boto3.client(service, region_name='us-east-1', **more)\ndef answer(value): print('ANSWER', json.dumps(value, default=str))\n";
    let mut command = Command::new(python);
    command.arg("-c").arg(format!("{prelude}{script}")).env_remove("AWS_PROFILE").envs(environment.iter().copied());
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("ANSWER "));
    line.map_or(Value::Null, |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
}
