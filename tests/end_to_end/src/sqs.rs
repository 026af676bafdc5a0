//! A queue of SQS's, as fast as a test needs it: standard, at least once, with visibility timeouts. It knows the four calls that a
//! poller makes.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long a poll waits at most: shorter than SQS's, so that no thread outlives its test for long.
const LONGEST_POLL: Duration = Duration::from_millis(500);

/// The queue.
#[derive(Clone)]
pub struct Sqs {
    /// The endpoint: `AWS_ENDPOINT_URL_SQS`, and the queue's URL.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    messages: BTreeMap<u64, Message>,
    sent: u64,
    deleted: Vec<String>,
    receives: u64,
    calls: Vec<(String, Value)>,
}

struct Message {
    body: String,
    visible_at: Instant,
}

impl Sqs {
    /// Listens in a thread, for as long as the test's process is there.
    pub fn start() -> Sqs {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("a free port: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("the port: {error}"));
        let sqs = Sqs { url: format!("http://{address}"), state: Arc::default() };
        let listening = sqs.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sqs = listening.clone();
                thread::spawn(move || sqs.serve(stream));
            }
        });
        sqs
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message.
    pub fn send(&self, body: &Value) {
        let mut state = self.state();
        state.sent += 1;
        let number = state.sent;
        state.messages.insert(number, Message { body: body.to_string(), visible_at: Instant::now() });
    }

    /// How many messages are in it, also those that somebody has received.
    pub fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of its messages nobody has now.
    pub fn visible(&self) -> usize {
        let now = Instant::now();
        self.state().messages.values().filter(|message| message.visible_at <= now).count()
    }

    /// The bodies of those that were deleted, in that order.
    pub fn deleted(&self) -> Vec<String> {
        self.state().deleted.clone()
    }

    /// How many were deleted.
    pub fn deletes(&self) -> usize {
        self.state().deleted.len()
    }

    /// How many messages were handed out, each time counted.
    pub fn receives(&self) -> u64 {
        self.state().receives
    }

    /// The calls of an action, with what they asked for.
    pub fn calls(&self, action: &str) -> Vec<Value> {
        let state = self.state();
        state.calls.iter().filter(|(made, _)| made == action).map(|(_, request)| request.clone()).collect()
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let (mut length, mut action) = (0, String::new());
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                let (name, value) = line.split_once(':').unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "x-amz-target" => action = value.trim().trim_start_matches("AmazonSQS.").to_owned(),
                    _ => {}
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let answer = self.answer(&action, &serde_json::from_slice(&body).ok()?).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length:";
            stream.write_all(format!("{head} {}\r\n\r\n{answer}", answer.len()).as_bytes()).ok()?;
        }
    }

    fn answer(&self, action: &str, request: &Value) -> Value {
        if action != "ReceiveMessage" {
            self.state().calls.push((action.to_owned(), request.clone()));
        }
        let entries = request.get("Entries").and_then(Value::as_array).cloned().unwrap_or_default();
        match action {
            "ReceiveMessage" => self.receive(request),
            "DeleteMessageBatch" => {
                let mut state = self.state();
                for entry in &entries {
                    if let Some(message) = number(entry).and_then(|number| state.messages.remove(&number)) {
                        state.deleted.push(message.body);
                    }
                }
                done(&entries)
            }
            "ChangeMessageVisibilityBatch" => {
                let mut state = self.state();
                for entry in &entries {
                    let message = number(entry).and_then(|number| state.messages.get_mut(&number));
                    if let (Some(message), Some(visible_at)) = (message, after(entry)) {
                        message.visible_at = visible_at;
                    }
                }
                done(&entries)
            }
            other => panic!("this queue has no {other}"),
        }
    }

    fn receive(&self, request: &Value) -> Value {
        let begun = Instant::now();
        let most = request.get("MaxNumberOfMessages").and_then(Value::as_u64).unwrap_or(1);
        loop {
            let (mut state, now) = (self.state(), Instant::now());
            let mut handed = Vec::new();
            let visible = state.messages.iter_mut().filter(|(_, message)| message.visible_at <= now);
            for (number, message) in visible.take(usize::try_from(most).unwrap_or(1)) {
                message.visible_at = after(request).unwrap_or(now);
                let handle = number.to_string();
                handed.push(json!({"MessageId": handle, "ReceiptHandle": handle, "Body": message.body}));
            }
            if !handed.is_empty() {
                state.receives += u64::try_from(handed.len()).unwrap_or_default();
                return json!({"Messages": handed});
            }
            drop(state);
            if begun.elapsed() > LONGEST_POLL {
                return json!({});
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn number(entry: &Value) -> Option<u64> {
    entry.get("ReceiptHandle")?.as_str()?.parse().ok()
}

/// When the visibility timeout that is asked for is over.
fn after(request: &Value) -> Option<Instant> {
    Some(Instant::now() + Duration::from_secs(request.get("VisibilityTimeout")?.as_u64()?))
}

fn done(entries: &[Value]) -> Value {
    let ids: Vec<Value> = entries.iter().map(|entry| json!({"Id": entry.get("Id")})).collect();
    json!({"Successful": ids, "Failed": []})
}
