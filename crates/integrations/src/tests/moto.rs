//! An emulated AWS account for tests: a moto server of their own.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use aws::Options;

/// How long the server may take to start.
const LONGEST_START: Duration = Duration::from_secs(30);

/// A moto server, stopped when dropped.
pub(crate) struct Moto {
    server: Child,
    port: u16,
}

impl Moto {
    /// Starts a server; `None`, and a line that says so, where Python or moto is missing.
    pub(crate) fn start() -> Option<Moto> {
        let python = std::env::var("RECTIFY_PYTHON").ok().filter(|python| !python.is_empty());
        let python = python.unwrap_or_else(|| "python3".to_owned());
        let importable = Command::new(&python).args(["-c", "import moto.server"]).stderr(Stdio::null()).status();
        if !importable.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no emulated account, as `{python}` can't import moto.server; `make test` sets it up");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Moto { server, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < LONGEST_START, "moto does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    /// How to call it.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::fixed("us-east-1", "AKIDEXAMPLE", "secret");
        options.endpoint_url = Some(format!("http://127.0.0.1:{}", self.port));
        options
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
