//! Services that tell each account its own endpoint: the two of Timestream.
//!
//! <https://docs.aws.amazon.com/timestream/latest/developerguide/Using.API.endpoint-discovery.how-it-works.html>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plan::{self, Plan};
use super::{Aws, Call, CallError};

/// Endpoints kept; beyond it all are asked for again.
const KEPT: usize = 1000;

/// By service, Region and role.
type Key = (String, String, Option<String>);

/// What was discovered, until when.
#[derive(Debug, Default)]
pub(super) struct Discovered(Mutex<HashMap<Key, (String, Instant)>>);

impl Aws {
    /// The URL of the account's own endpoint.
    pub(super) async fn discover(&self, plan: &Plan, call: &Call) -> Result<String, CallError> {
        let key = (call.service.clone(), plan.region.clone(), call.role_arn.clone());
        if let Some(url) = self.inner.discovered.get(&key) {
            return Ok(url);
        }
        let question = Call {
            action: "describeEndpoints".to_owned(),
            parameters: json!({}),
            region: Some(plan.region.clone()),
            idempotency_token: None,
            ..call.clone()
        };
        let (answer, _) = Box::pin(self.perform(&question)).await?;
        let first = answer.pointer("/Endpoints/0");
        let address = first.and_then(|first| first.get("Address")).and_then(Value::as_str);
        let address = address.ok_or_else(|| plan::client(&plan.service, "DescribeEndpoints answered with none"))?;
        let minutes = first.and_then(|first| first.get("CachePeriodInMinutes")).and_then(Value::as_u64).unwrap_or(1);
        let url = format!("https://{address}");
        self.inner.discovered.keep(key, url.clone(), Duration::from_secs(minutes.saturating_mul(60)));
        Ok(url)
    }
}

impl Discovered {
    fn get(&self, key: &Key) -> Option<String> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(_, end)| *end > Instant::now()).map(|(url, _)| url.clone())
    }

    fn keep(&self, key: Key, url: String, good_for: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        if let Some(end) = Instant::now().checked_add(good_for) {
            kept.insert(key, (url, end));
        }
    }
}
