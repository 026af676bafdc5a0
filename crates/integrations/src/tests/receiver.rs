//! Somebody on this machine who is sent JSON.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The bodies that were received.
pub(crate) type Received = Arc<Mutex<Vec<Value>>>;

/// A webhook that answers one status after the other, the last one for ever; its URL, and what it received.
pub(crate) async fn receiver(statuses: &'static [u16]) -> (String, Received) {
    let answers = statuses.iter().map(|status| format!("{status} x\r\nretry-after: 0\r\ncontent-length: 2\r\n\r\nok"));
    let (url, received) = answering(answers.collect()).await;
    (format!("{url}/hooks/s3cr3t"), received)
}

/// A server that gives one answer after the other (from the status on), the last one for ever; its URL, and what it received.
pub(crate) async fn answering(answers: Vec<String>) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        let mut answered = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = read_request(&mut stream).await;
            seen.lock().unwrap().push(body);
            let answer = &answers[answered.min(answers.len() - 1)];
            answered += 1;
            let answer = format!("HTTP/1.1 {}", answer.replacen("\r\n", "\r\nconnection: close\r\n", 1));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, received)
}

/// The body; where that is no JSON, the request line and the body as text.
async fn read_request(stream: &mut TcpStream) -> Value {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or("0");
            if body.len() >= length.parse().unwrap() {
                let line = text.lines().next().unwrap();
                return serde_json::from_str(body).unwrap_or_else(|_| Value::from(format!("{line} {body}")));
            }
        }
    }
}
