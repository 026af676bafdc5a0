//! `GET /metrics`, and all that it shows: what is counted in `figures` (here, in the engine, in the integrations), and what is read of
//! the store, of AWS's calls and of the process when somebody asks.

pub mod figures;
pub mod otlp;
mod process;
pub mod push;
mod spans;
pub mod text;
pub mod traces;

use std::{sync::Arc, time::Duration};

use aws::Aws;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use engine::{
    Engine,
    measure::{Family, Kind, Sample, Value},
    sqlite::{Levels, SqliteStore},
};
use jiff::Timestamp;
use tokio::{sync::Mutex, time::Instant};

use self::{figures::Figures, process::Usage, text::Format};
use crate::{App, router::refused};

/// For how long what was read of the store is shown again: however many ask, it is read no oftener.
const LEVELS_KEPT: Duration = Duration::from_secs(2);

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    /// What is counted of events.
    pub figures: Arc<Figures>,
    engine: Arc<engine::Figures>,
    integrations: Arc<integrations::Figures>,
    began: Timestamp,
    sources: Option<Sources>,
    levels: Mutex<Option<(Instant, Levels)>>,
}

/// What is asked when somebody asks.
struct Sources {
    engine: Engine,
    store: Arc<SqliteStore>,
    aws: Aws,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sources").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Of an engine on its store, of the calls of `aws`, and of what the integrations count.
    pub fn new(
        figures: Arc<Figures>,
        integrations: Arc<integrations::Figures>,
        engine: Engine,
        store: Arc<SqliteStore>,
        aws: Aws,
    ) -> Metrics {
        Metrics {
            figures,
            engine: engine.figures(),
            integrations,
            began: Timestamp::now(),
            sources: Some(Sources { engine, store, aws }),
            levels: Mutex::default(),
        }
    }

    /// All metrics there are, of nothing.
    pub fn of_nothing() -> Metrics {
        Metrics {
            figures: Arc::default(),
            engine: Arc::default(),
            integrations: Arc::default(),
            began: Timestamp::UNIX_EPOCH,
            sources: None,
            levels: Mutex::default(),
        }
    }

    /// Since when is counted.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// All metrics, as they are now.
    pub async fn families(&self) -> Vec<Family> {
        let levels = self.levels().await;
        let mut families = self.figures.families();
        families.extend(self.engine.families());
        families.extend(self.integrations.families());
        families.extend(of_store(levels.as_ref()));
        families.extend(self.of_engine_and_calls());
        families.extend(of_process(&Usage::now(), self.began));
        families
    }

    /// What is in the store: as it was a moment ago, where it was read then. Nothing, where it can't be read.
    async fn levels(&self) -> Option<Levels> {
        let sources = self.sources.as_ref()?;
        let mut kept = self.levels.lock().await;
        if let Some((_, levels)) = kept.as_ref().filter(|(read, _)| read.elapsed() < LEVELS_KEPT) {
            return Some(levels.clone());
        }
        match sources.store.levels().await {
            Ok(levels) => {
                *kept = Some((Instant::now(), levels.clone()));
                Some(levels)
            }
            Err(error) => {
                tracing::warn!(%error, "the store can't be read for its metrics");
                None
            }
        }
    }

    fn of_engine_and_calls(&self) -> [Family; 2] {
        let in_memory = self.sources.as_ref().map(|sources| sources.engine.executions_in_memory());
        let attempts = self.sources.as_ref().map(|sources| sources.aws.attempts()).unwrap_or_default();
        [
            gauge("rectify_executions_in_memory", "Executions in memory.", in_memory.map(natural)),
            Family {
                name: "rectify_aws_requests_total",
                help: "Requests to AWS, each attempt counted, by service and by how they ended.",
                kind: Kind::Counter,
                labels: &["service", "result"],
                samples: attempts
                    .into_iter()
                    .map(|(service, result, count)| Sample {
                        labels: vec![service.to_owned(), result.name().to_owned()],
                        value: Value::Natural(count),
                    })
                    .collect(),
            },
        ]
    }
}

fn natural(number: usize) -> Value {
    Value::Natural(u64::try_from(number).unwrap_or(u64::MAX))
}

fn gauge(name: &'static str, help: &'static str, value: Option<Value>) -> Family {
    let samples = value.into_iter().map(|value| Sample { labels: Vec::new(), value }).collect();
    Family { name, help, kind: Kind::Gauge, labels: &[], samples }
}

fn of_store(levels: Option<&Levels>) -> Vec<Family> {
    let number = |read: fn(&Levels) -> u64| levels.map(|levels| Value::Natural(read(levels)));
    let oldest = levels.map(|levels| {
        let age = levels.oldest_pending.map(|since| Timestamp::now().duration_since(since));
        Value::Time(age.and_then(|age| age.try_into().ok()).unwrap_or_default())
    });
    let findings = levels.into_iter().flat_map(|levels| &levels.findings);
    let findings = findings.map(|(guardrail, stage, count)| Sample {
        labels: vec![guardrail.clone(), stage.clone()],
        value: Value::Natural(*count),
    });
    vec![
        Family {
            name: "rectify_findings",
            help: "Findings in the store, by guardrail and stage.",
            kind: Kind::Gauge,
            labels: &["guardrail", "stage"],
            samples: findings.collect(),
        },
        gauge(
            "rectify_executions_working",
            "Executions in the store that have something to do, or wait for a task's answer.",
            number(|levels| levels.working),
        ),
        gauge(
            "rectify_executions_pending",
            "Executions in the store that have not begun: they wait for their turn.",
            number(|levels| levels.pending),
        ),
        gauge(
            "rectify_executions_oldest_pending_age_seconds",
            "How long the oldest of those that have not begun has waited.",
            oldest,
        ),
        gauge(
            "rectify_executions_waiting",
            "Executions in the store that wait for a time or a deadline.",
            number(|levels| levels.waiting),
        ),
        gauge(
            "rectify_unreadable_events",
            "Bodies that are kept because they could not be read as events.",
            number(|levels| levels.unreadable),
        ),
        gauge("rectify_store_size_bytes", "Size of the store's database.", number(|levels| levels.size_bytes)),
    ]
}

fn of_process(usage: &Usage, began: Timestamp) -> [Family; 5] {
    let began = Duration::try_from(began.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
    let cpu = gauge("process_cpu_seconds_total", "User and system time of the processor.", usage.cpu.map(Value::Time));
    let version = vec![env!("CARGO_PKG_VERSION").to_owned()];
    [
        Family { kind: Kind::Counter, ..cpu },
        gauge("process_resident_memory_bytes", "Memory in use.", usage.resident_bytes.map(Value::Natural)),
        gauge("process_open_fds", "Open files and sockets.", usage.open_files.map(Value::Natural)),
        gauge("process_start_time_seconds", "When the process began, since 1970.", Some(Value::Time(began))),
        Family {
            name: "rectify_build_info",
            help: "1, with the version that runs.",
            kind: Kind::Gauge,
            labels: &["version"],
            samples: vec![Sample { labels: version, value: Value::Natural(1) }],
        },
    ]
}

/// `GET /metrics`: let in by the token of DIR/metrics-token, in the format that is asked for.
pub async fn show(State(app): State<App>, headers: HeaderMap) -> Response {
    if !app.access.has_metrics_token(&headers) {
        let text =
            "send `Authorization: Bearer TOKEN`: `serve` keeps the token in DIR/metrics-token of its --data folder";
        let mut response = refused(StatusCode::UNAUTHORIZED, text);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return response;
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::of_accept(accept);
    let text = text::write(&app.metrics.families().await, format);
    ([(header::CONTENT_TYPE, format.content_type())], text).into_response()
}

#[cfg(test)]
mod tests;
