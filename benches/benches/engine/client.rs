//! A client of the API: HTTP on one connection that is kept, every request signed (SigV4). As little as such a client can do, since
//! it shares the machine with what is measured.

use std::{fmt::Write as _, net::SocketAddr};

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub const REGION: &str = "eu-central-1";

/// The server's own key pair, and a key made of it for one day.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    date: String,
    key: hmac::Key,
}

impl Credentials {
    /// Those in a shared credentials file.
    pub fn read(file: &str) -> Credentials {
        let setting = |name: &str| {
            let line = file.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once('=').unwrap().1.trim().to_owned()
        };
        let date = Timestamp::now().strftime("%Y%m%d").to_string();
        let mut key = format!("AWS4{}", setting("aws_secret_access_key")).into_bytes();
        for part in [&date, REGION, "states", "aws4_request"] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
        }
        Credentials { access_key_id: setting("aws_access_key_id"), date, key: hmac::Key::new(hmac::HMAC_SHA256, &key) }
    }
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    host: String,
    credentials: Credentials,
    read: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr, credentials: &Credentials) -> Client {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, host: address.to_string(), credentials: credentials.clone(), read: Vec::with_capacity(4096) }
    }

    /// An action of Step Functions; its answer. Whatever is refused ends the benchmark.
    pub async fn call(&mut self, action: &str, body: &str) -> Value {
        let request = self.signed(action, body);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (status, answer) = self.answer().await;
        assert_eq!(status, 200, "{action}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }

    fn signed(&self, action: &str, body: &str) -> String {
        let Credentials { access_key_id, date, key } = &self.credentials;
        let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let (host, target) = (&self.host, format!("AWSStepFunctions.{action}"));
        let signed_headers = "content-type;host;x-amz-date;x-amz-target";
        let canonical = format!(
            "POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{host}\nx-amz-date:{time}\nx-amz-target:{target}\n\n{signed_headers}\n{}",
            hash(body)
        );
        let scope = format!("{date}/{REGION}/states/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hash(&canonical));
        let signature = hex(hmac::sign(key, to_sign.as_bytes()).as_ref());
        format!(
            "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-amz-json-1.0\r\nx-amz-date: {time}\r\nx-amz-target: {target}\r\nauthorization: AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders={signed_headers}, Signature={signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    async fn answer(&mut self) -> (u16, Vec<u8>) {
        self.read.clear();
        loop {
            assert!(self.stream.read_buf(&mut self.read).await.unwrap() > 0, "the server closed the connection");
            let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let (head, body) = self.read.split_at(end + 4);
            let head = std::str::from_utf8(head).unwrap().to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
            if body.len() >= length {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return (status, body.to_vec());
            }
        }
    }
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
