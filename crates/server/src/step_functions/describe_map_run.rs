//! DescribeMapRun.

use engine::ports::MapRunRecord;
use execution::map_run::{Count, Counts, MapRunStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    App,
    aws_json::{ApiError, epoch_seconds, optional_epoch_seconds},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    map_run_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    map_run_arn: String,
    execution_arn: String,
    status: MapRunStatus,
    #[serde(serialize_with = "epoch_seconds")]
    start_date: Timestamp,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    stop_date: Option<Timestamp>,
    max_concurrency: u64,
    tolerated_failure_percentage: f64,
    tolerated_failure_count: u64,
    item_counts: Numbers,
    execution_counts: Numbers,
    redrive_count: u64,
    #[serde(serialize_with = "optional_epoch_seconds", skip_serializing_if = "Option::is_none")]
    redrive_date: Option<Timestamp>,
}

/// `MapRunItemCounts`, `MapRunExecutionCounts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    pending: u64,
    running: u64,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    aborted: u64,
    total: u64,
    results_written: u64,
    failures_not_redrivable: u64,
    pending_redrive: u64,
}

pub async fn call(app: &App, request: Request) -> Result<Response, ApiError> {
    let run = app.engine.describe_map_run(&request.map_run_arn).await?;
    let MapRunRecord {
        specification, standing, status, results_written, stopped_at, redrive_count, redriven_at, ..
    } = run;
    let counts = &standing.counts;
    Ok(Response {
        map_run_arn: specification.arn,
        execution_arn: specification.execution_arn,
        status,
        start_date: specification.started_at,
        stop_date: stopped_at,
        max_concurrency: standing.limits.max_concurrency,
        tolerated_failure_percentage: standing.limits.tolerated_failure_percentage.unwrap_or_default(),
        tolerated_failure_count: standing.limits.tolerated_failure_count.unwrap_or_default(),
        item_counts: numbers(counts, results_written, |count| count.items),
        execution_counts: numbers(counts, results_written, |count| count.executions),
        redrive_count,
        redrive_date: redriven_at,
    })
}

fn numbers(counts: &Counts, results_written: Count, of: impl Fn(Count) -> u64) -> Numbers {
    Numbers {
        pending: of(counts.pending),
        running: of(counts.running),
        succeeded: of(counts.succeeded),
        failed: of(counts.failed),
        timed_out: of(counts.timed_out),
        aborted: of(counts.aborted),
        total: of(counts.total()),
        results_written: of(results_written),
        failures_not_redrivable: of(counts.failures_not_redrivable),
        pending_redrive: of(counts.pending_redrive),
    }
}
