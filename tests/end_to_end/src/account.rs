//! An emulated AWS account, and boto3 as the foreign client.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

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
    alice: Mutex<Interpreter>,
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
        let (url, queue_url) = (text("url"), text("queue_url"));
        let environment = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_ACCESS_KEY_ID", &text("access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", &text("secret_access_key")),
        ];
        let alice = Mutex::new(Interpreter::start(&python, &environment));
        Some(Account { process, python, url, queue_url, alice })
    }

    /// Runs Python as the IAM user alice: `client(service)` is boto3's client of the account; what `answer(value)` is given
    /// comes back. One interpreter runs all of them.
    pub fn python(&self, script: &str) -> Value {
        self.alice.lock().unwrap_or_else(PoisonError::into_inner).run(script)
    }

    /// Runs Python with boto3 speaking to another endpoint with the credentials of a file.
    pub fn python_with(&self, url: &str, credentials: &Path, script: &str) -> Value {
        let credentials = credentials.display().to_string();
        let environment =
            [("AWS_ENDPOINT_URL", url), ("AWS_SHARED_CREDENTIALS_FILE", &credentials), ("AWS_PROFILE", "rectify")];
        Interpreter::start(&self.python, &environment).run(script)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Python with boto3, which runs scripts one after the other. It ends with this value.
struct Interpreter {
    process: Child,
    scripts: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Each line in is a script as a JSON string, each line out its `{answer}` or `{failure}`.
const INTERPRETER: &str = "
import functools, json, sys, traceback, boto3, botocore.exceptions
@functools.cache
def client(service, **more): return boto3.client(service, region_name='us-east-1', **more)
for line in sys.stdin:
    said = {'answer': None}
    def answer(value): said['answer'] = value
    try: exec(json.loads(line), {'json': json, 'boto3': boto3, 'botocore': botocore, 'client': client, 'answer': answer})
    except Exception: said['failure'] = traceback.format_exc()
    print(json.dumps(said, default=str), flush=True)
";

impl Interpreter {
    fn start(python: &Path, environment: &[(&str, &str)]) -> Interpreter {
        let mut process = Command::new(python)
            .args(["-c", INTERPRETER])
            .env_remove("AWS_PROFILE")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let scripts = process.stdin.take().unwrap_or_else(|| panic!("the interpreter has no input"));
        let answers = process.stdout.take().unwrap_or_else(|| panic!("the interpreter has no output"));
        Interpreter { process, scripts, answers: BufReader::new(answers) }
    }

    fn run(&mut self, script: &str) -> Value {
        writeln!(self.scripts, "{}", json!(script)).unwrap_or_else(|error| panic!("the interpreter: {error}"));
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap_or_else(|error| panic!("the interpreter's answer: {error}"));
        let mut said: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("the interpreter said `{line}`: {error}"));
        if let Some(failure) = said.get("failure").and_then(Value::as_str) {
            panic!("{failure}\nin the script\n{script}");
        }
        said.get_mut("answer").map(Value::take).unwrap_or_default()
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
