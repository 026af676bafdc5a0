//! An account on this machine, and calls of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws::{Aws, Call, CallError, Options};
use serde_json::Value;

/// The Python of `make test`, or the machine's.
fn python() -> String {
    std::env::var("RECTIFY_PYTHON").ok().filter(|python| !python.is_empty()).unwrap_or_else(|| "python3".to_owned())
}

/// A moto server of one test; it ends with it.
pub struct Account {
    child: Child,
    port: u16,
}

impl Account {
    /// `None`, with the reason printed, where Python or moto is missing.
    pub fn start() -> Option<Account> {
        let found = Command::new(python()).args(["-c", "import moto.server, flask"]).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            println!("skipped: no Python with moto: `make test` sets one up, and names it in RECTIFY_PYTHON");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(python())
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let account = Account { child, port };
        let end = Instant::now() + Duration::from_secs(60);
        while !account.answers() {
            assert!(Instant::now() < end, "moto did not start within 60 s");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(account)
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut status = [0; 12];
        stream.write_all(b"GET /moto-api/ HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_exact(&mut status).is_ok()
            && status.ends_with(b"200")
    }

    pub fn options(&self) -> Options {
        let mut options = Options::fixed("us-east-1", "AKIDEXAMPLE000000000", "example");
        options.endpoint_url = Some(format!("http://127.0.0.1:{}", self.port));
        options
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn call(service: &str, action: &str, parameters: Value) -> Call {
    Call {
        service: service.to_owned(),
        action: action.to_owned(),
        parameters,
        region: None,
        role_arn: None,
        idempotency_token: None,
        attempts: 1,
        timeout_seconds: 20,
        answer_bytes: None,
    }
}

pub async fn ok(aws: &Aws, service: &str, action: &str, parameters: Value) -> Value {
    aws.call(call(service, action, parameters)).await.unwrap_or_else(|error| panic!("{service}:{action}: {error}"))
}

/// Name, cause and code of the error that a service must answer with.
pub async fn error(aws: &Aws, service: &str, action: &str, parameters: Value) -> (String, String, String) {
    match aws.call(call(service, action, parameters)).await {
        Err(CallError::Service { name, cause, code, .. }) => (name, cause, code),
        other => panic!("{service}:{action}: {other:?}"),
    }
}
