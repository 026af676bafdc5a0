//! The server as a process of its own, and what `/proc` says of a process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::client::Credentials;

/// `rectify serve`, killed when it is dropped.
pub struct Server {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
    pub credentials: Credentials,
}

impl Server {
    /// Starts the binary on a free loopback port, with a new data folder below this one.
    pub fn start(binary: &Path) -> Server {
        let folder = tempfile::tempdir_in(".").unwrap();
        // Else it asks AWS for its account first.
        std::fs::write(folder.path().join("rectify.yaml"), "account: \"123456789012\"\n").unwrap();
        // Free again when the listener is dropped; nobody else asks for one meanwhile.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut child = Command::new(binary.canonicalize().expect("the server's binary is built: see --server"))
            .args(["serve", "--listen", &address.to_string(), "--data", "data"])
            .current_dir(folder.path())
            .env("RUST_LOG", "warn")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", crate::client::REGION)
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the server ended");
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        let credentials = std::fs::read_to_string(folder.path().join("data/credentials")).unwrap();
        Server { child, folder, address, credentials: Credentials::read(&credentials) }
    }

    pub fn process(&self) -> Process {
        Process(self.child.id().to_string())
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process of this machine, by its directory in `/proc`.
#[derive(Clone, Debug)]
pub struct Process(String);

impl Process {
    pub fn own() -> Process {
        Process("self".to_owned())
    }

    /// The processor time it has used, to a hundredth of a second; zero where there is no `/proc`.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }

    /// What it holds of memory now, in MB.
    pub fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The most it has held since [`Process::forget_peak`], in MB.
    pub fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    pub fn forget_peak(&self) {
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    fn status(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
        kib * 1024.0 / 1e6
    }
}
