//! Tells of failed findings until somebody has heard it.

use std::{sync::Arc, time::Duration};

use detection::Stage;

use super::Shared;
use crate::ports::StoreError;

/// Alerts read at once.
const PAGE: usize = 64;
/// The pause after a round in which something could not be told, doubled with each such round up to the limit.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_secs(300);
/// How long one telling may take.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Never ends. Begins with what the last process had not told.
pub(super) async fn tell(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match round(&shared).await {
            Ok(0) => {
                pause = FIRST_PAUSE;
                shared.alerts.notified().await;
            }
            Ok(untold) => {
                tracing::warn!(
                    untold,
                    seconds = pause.as_secs(),
                    "nobody could be told of failed findings; trying again"
                );
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_LIMIT);
            }
            Err(error) => {
                tracing::error!(%error, "the store does not say which failures are to be told; trying again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_LIMIT);
            }
        }
    }
}

/// Tries each alert of a page; how many nobody has heard. A page that was told wholly is followed by the next.
async fn round(shared: &Shared) -> Result<usize, StoreError> {
    loop {
        let page = shared.store.alerts(PAGE).await?;
        if page.is_empty() {
            return Ok(0);
        }
        let mut untold = 0;
        for (number, finding) in page {
            match tokio::time::timeout(TIME_LIMIT, shared.executor.tell_of_failure(&finding)).await {
                Ok(Ok(())) => {
                    shared.store.alert_told(number).await?;
                    if finding.stage == Stage::Failed {
                        shared.options.figures.findings_failed.of(&finding.guardrail).increment();
                    }
                }
                Ok(Err(error)) => {
                    untold += 1;
                    tracing::warn!(finding = finding.id, error, "nobody could be told of a failed finding");
                }
                Err(_) => {
                    untold += 1;
                    tracing::warn!(finding = finding.id, "telling of a failed finding took too long");
                }
            }
        }
        if untold > 0 {
            return Ok(untold);
        }
    }
}
