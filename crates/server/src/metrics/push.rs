//! Metrics and traces pushed to an OpenTelemetry collector: OTLP over HTTP, in JSON.

use std::{io::Write as _, sync::Arc, time::Duration};

use aws::http::HttpClient;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Metrics,
    figures::ExportResult,
    otlp::{self, Resource},
    traces::QUEUE_LIMIT,
};

/// Of the collector's answer.
const ANSWER_BYTES: usize = 64 << 10;
/// How often what must not be lost is tried, and the pause after the first time, doubled each time.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Where one kind of signal goes.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The whole URL, `…/v1/metrics` or `…/v1/traces`.
    pub url: String,
    /// Headers to send with it: names, and what may be a secret.
    pub headers: Vec<(String, SecretString)>,
    /// Whether bodies are gzipped.
    pub gzip: bool,
    /// For one request.
    pub timeout: Duration,
}

/// What is pushed where.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Who sends.
    pub resource: Resource,
    /// Metrics, and how often.
    pub metrics: Option<(Destination, Duration)>,
    /// Traces.
    pub traces: Option<Destination>,
}

/// Who tells of executions that have ended, and who hears of them.
pub type Queue = (Option<mpsc::Sender<Arc<str>>>, Option<mpsc::Receiver<Arc<str>>>);

impl Telemetry {
    /// The queue of executions to be traced; none where traces go nowhere.
    pub fn queue(&self) -> Queue {
        if self.traces.is_none() {
            return (None, None);
        }
        let (ended, traced) = mpsc::channel(QUEUE_LIMIT);
        (Some(ended), Some(traced))
    }
}

/// Sends to one destination.
#[derive(Debug)]
pub(super) struct Pusher {
    pub(super) destination: Destination,
    pub(super) client: HttpClient,
    pub(super) metrics: Arc<Metrics>,
}

/// Why a request was not taken.
struct Refused {
    reason: String,
    /// Whether the collector may take it later.
    later: bool,
}

impl Pusher {
    /// Sends once; whether it was taken. What was not is told.
    pub(super) async fn push(&self, request: &Value) -> bool {
        let sent = self.send(request).await;
        self.count(sent)
    }

    /// Sends until the collector takes it, or refuses it, or was asked [`ATTEMPTS`] times.
    pub(super) async fn push_patiently(&self, request: &Value) -> bool {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.send(request).await {
                Err(Refused { later: true, .. }) => tokio::time::sleep(pause).await,
                sent => return self.count(sent),
            }
            pause *= 2;
        }
        self.push(request).await
    }

    fn count(&self, sent: Result<(), Refused>) -> bool {
        let exports = &self.metrics.figures.otlp_exports;
        match sent {
            Ok(()) => exports.of(ExportResult::Ok).increment(),
            Err(Refused { ref reason, .. }) => {
                exports.of(ExportResult::Failed).increment();
                tracing::warn!(reason, "the OpenTelemetry collector did not take what was sent");
            }
        }
        sent.is_ok()
    }

    async fn send(&self, body: &Value) -> Result<(), Refused> {
        let wrong = |error: &dyn std::fmt::Display| Refused { reason: format!("no request: {error}"), later: false };
        let Destination { url, headers, gzip, timeout } = &self.destination;
        let mut request = http::Request::post(url.as_str())
            .header("content-type", "application/json")
            .header("user-agent", concat!("rectify/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            let mut value =
                http::HeaderValue::from_str(value.expose_secret()).map_err(|_| wrong(&"a header's value is none"))?;
            value.set_sensitive(true);
            request = request.header(name.as_str(), value);
        }
        let text = body.to_string();
        let body = if *gzip {
            request = request.header("content-encoding", "gzip");
            compressed(text.as_bytes()).map_err(|error| wrong(&error))?
        } else {
            text.into_bytes()
        };
        let request = request.body(Bytes::from(body)).map_err(|error| wrong(&error))?;
        let answer = self.client.send(request, *timeout, ANSWER_BYTES).await;
        let answer = answer.map_err(|error| Refused { reason: error.message, later: true })?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            // OTLP's own list: anything else would be refused again.
            status @ (429 | 502 | 503 | 504) => Err(Refused { reason: format!("HTTP {status}"), later: true }),
            status => Err(Refused { reason: format!("HTTP {status}"), later: false }),
        }
    }
}

fn compressed(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Pushes all metrics, again and again, and never ends. What one push lost the next one holds: all are counted from the beginning.
pub async fn push_metrics(
    metrics: Arc<Metrics>,
    resource: Resource,
    destination: Destination,
    every: Duration,
    client: HttpClient,
) {
    let pusher = Pusher { destination, client, metrics };
    loop {
        tokio::time::sleep(every).await;
        let families = pusher.metrics.families().await;
        let request = otlp::metrics(&families, &resource, pusher.metrics.began(), Timestamp::now());
        pusher.push(&request).await;
    }
}
