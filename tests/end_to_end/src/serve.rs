//! A running `rectify serve`.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{PATIENCE, rectify, until};

/// A `rectify serve` on a folder of its own. It is killed with this value.
pub struct Serve {
    /// Its folder: `data/`, `rectify.yaml`, `serve.log`.
    pub folder: TempDir,
    address: String,
    environment: Vec<(String, String)>,
    /// The largest file that it may write.
    file_limit_kilobytes: Option<u32>,
    process: Option<Child>,
}

/// What it answered.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body, or null where it is no JSON.
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Serve {
    /// Starts one with a configuration, its AWS at `aws_url`, and waits until it is ready.
    pub fn start(configuration: &str, aws_url: &str) -> Serve {
        let mut serve = Serve::prepare(configuration, aws_url);
        serve.restart(&[]);
        serve.wait_until_ready();
        serve
    }

    /// The folder and the address of one that is not started yet.
    pub fn prepare(configuration: &str, aws_url: &str) -> Serve {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
        fs::write(folder.path().join("rectify.yaml"), configuration)
            .unwrap_or_else(|error| panic!("the configuration: {error}"));
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.unwrap_or_else(|error| panic!("a free port: {error}")).to_string();
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIARECTIFY000000000"),
            ("AWS_SECRET_ACCESS_KEY", "rectify"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", aws_url),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Serve { folder, address, environment, file_limit_kilobytes: None, process: None }
    }

    /// Starts it (again) on what is in its folder, with more environment.
    pub fn restart(&mut self, more: &[(&str, &str)]) {
        self.kill();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("serve.log"))
            .unwrap_or_else(|error| panic!("the log: {error}"));
        let errors = log.try_clone().unwrap_or_else(|error| panic!("the log: {error}"));
        let process = self
            .program()
            .args(["serve", "--listen", &self.address, "--data"])
            .arg(self.data())
            .arg("--config")
            .arg(self.folder.path().join("rectify.yaml"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("rectify serve: {error}")));
    }

    /// From the next start on, no file of its may grow beyond this: its disk is as good as full then.
    pub fn limit_files(&mut self, kilobytes: Option<u32>) {
        self.file_limit_kilobytes = kilobytes;
    }

    fn program(&self) -> Command {
        let Some(kilobytes) = self.file_limit_kilobytes else { return Command::new(rectify()) };
        let mut shell = Command::new("sh");
        // POSIX counts in blocks of 512 bytes. The signal ignored, a write beyond the limit fails as one on a full disk does.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", u64::from(kilobytes) * 2);
        shell.args(["-c", &script]).arg(rectify());
        shell
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// Waits until `/healthz` answers 200.
    pub fn wait_until_ready(&mut self) {
        until("the start of `rectify serve`", || {
            assert!(!self.has_ended(), "`rectify serve` ended:\n{}", self.log());
            self.ask("GET", "/healthz", None).filter(|answer| answer.status == 200)
        });
    }

    /// Whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        self.process.is_none() || self.ended().is_some()
    }

    /// How the process ended, where it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.try_wait().ok()?
    }

    /// The number of its process; 0 where there is none.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Child::id)
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "`rectify serve` can't be asked to end");
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Asks it over plain HTTP with its API key; `None` where nobody answers.
    pub fn ask(&self, method: &str, path: &str, body: Option<&[u8]>) -> Option<Answer> {
        let key = fs::read_to_string(self.data().join("api-key")).unwrap_or_default();
        self.ask_with(method, path, body, &[("x-api-key", key.trim())])
    }

    /// The same with other headers than the key's.
    pub fn ask_with(&self, method: &str, path: &str, body: Option<&[u8]>, headers: &[(&str, &str)]) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(5))).ok()?;
        let body = body.unwrap_or_default();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        // A body that is refused unread breaks the pipe; the answer is there all the same.
        drop(stream.write_all(body));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let (head, text) = (head.to_owned(), body.to_owned());
        Some(Answer { status, head, body: serde_json::from_str(&text).unwrap_or_default(), text })
    }

    /// The finding of a guardrail, whole; `None` where there is none.
    pub fn finding(&self, guardrail: &str) -> Option<Value> {
        let list = self.ask("GET", &format!("/api/findings?guardrail={guardrail}"), None)?.body;
        let id = list.pointer("/findings/0/id")?.as_str()?.to_owned();
        Some(self.ask("GET", &format!("/api/findings/{id}"), None)?.body)
    }

    /// Runs another command of the binary that speaks to this one; its exit status and standard output.
    pub fn command(&self, words: &[&str]) -> (i32, String) {
        let output = Command::new(rectify())
            .args(words)
            .args(["--server", &self.url(), "--data"])
            .arg(self.data())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("rectify {words:?}: {error}"));
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    }
}

impl Drop for Serve {
    #[expect(clippy::print_stderr, reason = "what the server said helps to understand a test that failed")]
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the log of `rectify serve`:\n{}", self.log());
        }
    }
}
