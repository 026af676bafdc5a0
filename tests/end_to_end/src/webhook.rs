//! A channel that listens.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use serde_json::Value;

/// A webhook that keeps what it is sent.
#[derive(Clone)]
pub struct Webhook {
    /// Its URL.
    pub url: String,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    /// Listens in a thread, for as long as the test's process is there.
    pub fn start() -> Webhook {
        Webhook::answering("")
    }

    /// The same, with a body for every answer.
    pub fn answering(body: &'static str) -> Webhook {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("a free port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("the port: {error}"));
        let webhook = Webhook { url: format!("http://{address}/secret-path"), messages: Arc::default() };
        let messages = Arc::clone(&webhook.messages);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let messages = Arc::clone(&messages);
                thread::spawn(move || answer(stream, &messages, body));
            }
        });
        webhook
    }

    /// What it was sent so far.
    pub fn messages(&self) -> Vec<Value> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(mut stream: TcpStream, messages: &Mutex<Vec<Value>>, answer: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some((name, value)) =
                line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.trim().parse().unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        messages.lock().unwrap_or_else(PoisonError::into_inner).push(serde_json::from_slice(&body).unwrap_or_default());
        let length = answer.len();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}").as_bytes()).ok()?;
    }
}
