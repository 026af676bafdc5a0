//! Traces pushed to an OpenTelemetry collector: the executions that have ended, in batches.

use std::{sync::Arc, time::Duration};

use aws::http::HttpClient;
use engine::{Engine, engine::Refusal};
use execution::HistoryEvent;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Metrics,
    figures::SpanResult,
    otlp::{self, Resource},
    push::{Destination, Pusher},
    spans::spans,
};

/// Executions that wait to be traced; those that end when there is no place are not traced, and counted.
pub const QUEUE_LIMIT: usize = 2048;
/// How long the first of a batch waits for others.
const DELAY: Duration = Duration::from_secs(1);
/// Spans in one request: with more, a batch is sent.
const BATCH_SPANS: usize = 512;
/// What is read of one execution's history: events in all, and at once. What is beyond has no spans.
const EVENTS_LIMIT: usize = 5000;
const EVENTS_AT_ONCE: usize = 500;

/// Pushes the spans of all executions whose ARNs come in; ends when none can come any more. Whether an execution ends does not depend on
/// it, and nor does how fast: it only reads what is stored.
pub async fn push_traces(
    engine: Engine,
    mut ended: mpsc::Receiver<Arc<str>>,
    metrics: Arc<Metrics>,
    resource: Resource,
    destination: Destination,
    client: HttpClient,
) {
    let pusher = Pusher { destination, client, metrics };
    while let Some(first) = ended.recv().await {
        tokio::time::sleep(DELAY).await;
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(arn) = next {
            match of_execution(&engine, &arn).await {
                Ok(spans) => batch.extend(spans),
                Err(error) => tracing::warn!(%arn, %error, "an execution can't be read for its trace"),
            }
            next = if batch.len() < BATCH_SPANS { ended.try_recv().ok() } else { None };
        }
        if batch.is_empty() {
            continue;
        }
        let count = batch.len();
        let is_sent = pusher.push_patiently(&otlp::traces(batch, &resource)).await;
        let result = if is_sent { SpanResult::Sent } else { SpanResult::Dropped };
        pusher.metrics.figures.spans.of(result).add_all(count);
    }
}

async fn of_execution(engine: &Engine, arn: &str) -> Result<Vec<Value>, Refusal> {
    let execution = engine.describe_execution(arn).await?;
    let mut history: Vec<HistoryEvent> = Vec::new();
    while history.len() < EVENTS_LIMIT {
        let after = history.last().map(|event| event.id);
        let page = engine.history(arn, after, EVENTS_AT_ONCE, false).await?;
        if page.is_empty() {
            break;
        }
        history.extend(page);
    }
    let input: Value = serde_json::from_str(&execution.input).unwrap_or_default();
    let finding = match input.get("FindingId").and_then(Value::as_str) {
        Some(id) => engine.findings().finding(id).await?,
        None => None,
    };
    Ok(spans(&execution, &history, finding.as_ref()))
}
