//! Map runs, as the API has them.

use execution::map_run::MapRunLimits;

use super::super::{Engine, ExecutionRecord, Refusal, executions::not_of_this_type, names};
use crate::ports::{ExecutionFilter, MapRunRecord};

impl Engine {
    /// DescribeMapRun.
    pub async fn describe_map_run(&self, arn: &str) -> Result<MapRunRecord, Refusal> {
        names::check_map_run_arn(arn)?;
        self.shared().store.map_run(arn).await?.ok_or_else(|| not_found(arn))
    }

    /// ListMapRuns of an execution, the newest first, after the ARN named.
    pub async fn list_map_runs(
        &self,
        execution_arn: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<MapRunRecord>, Refusal> {
        self.describe_execution(execution_arn).await?;
        Ok(self.shared().store.map_runs(execution_arn, after, limit).await?)
    }

    /// UpdateMapRun: what is `None` stays as it is. One that has ended stays as it was.
    pub async fn update_map_run(
        &self,
        arn: &str,
        max_concurrency: Option<u64>,
        tolerated_failure_count: Option<u64>,
        tolerated_failure_percentage: Option<f64>,
    ) -> Result<(), Refusal> {
        let limits = self.describe_map_run(arn).await?.standing.limits;
        let limits = MapRunLimits {
            max_concurrency: max_concurrency.unwrap_or(limits.max_concurrency),
            tolerated_failure_count: tolerated_failure_count.or(limits.tolerated_failure_count),
            tolerated_failure_percentage: tolerated_failure_percentage.or(limits.tolerated_failure_percentage),
        };
        if self.shared().store.update_map_run(arn, limits).await? {
            self.shared().map_runs.wake(arn.into());
        }
        Ok(())
    }

    /// ListExecutions of a map run, the newest first, after the ARN named. Express children are in no list.
    pub async fn list_executions_of_map_run(
        &self,
        arn: &str,
        filter: ExecutionFilter,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>, Refusal> {
        if self.describe_map_run(arn).await?.specification.is_express {
            return Err(not_of_this_type());
        }
        let found = self.shared().store.executions_of_map_run(arn, filter, after, limit).await?;
        found.ok_or_else(|| not_found(arn))
    }
}

fn not_found(arn: &str) -> Refusal {
    Refusal::ResourceNotFound(format!("Resource not found: '{arn}'"))
}
