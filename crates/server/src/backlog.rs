//! How far the executions may fall behind the sources. Beyond it nothing more is taken in, until they have caught up.

use std::time::{Duration, Instant};

use engine::{Engine, ports::StoreError};
use tokio::sync::Mutex;

/// Executions that may wait for room, unless said.
const USUAL_LIMIT: usize = 10_000;
/// For how long a count holds.
const COUNT_HOLDS: Duration = Duration::from_millis(250);

/// The executions that wait in the store for room in memory, and how many may.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit: usize,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    at: Option<Instant>,
    is_over: bool,
}

impl Counted {
    /// Whether sources are held up at this count: from the limit on, until a quarter of it is done.
    fn see(&mut self, count: usize, limit: usize) -> bool {
        let lowest = limit - limit / 4;
        self.is_over = if self.is_over { count >= lowest } else { count >= limit };
        self.is_over
    }
}

impl Default for Backlog {
    fn default() -> Backlog {
        Backlog::new(USUAL_LIMIT)
    }
}

impl Backlog {
    pub(crate) fn new(limit: usize) -> Backlog {
        Backlog { limit: limit.max(1), counted: Mutex::default() }
    }

    /// Why nothing is taken in now, if so.
    pub(crate) async fn is_over(&self, engine: &Engine) -> Result<Option<String>, StoreError> {
        let mut counted = self.counted.lock().await;
        if counted.at.is_none_or(|at| at.elapsed() >= COUNT_HOLDS) {
            let (before, count) = (counted.is_over, engine.executions_put_off(self.limit).await?);
            counted.at = Some(Instant::now());
            match (before, counted.see(count, self.limit)) {
                (false, true) => tracing::warn!(
                    limit = self.limit,
                    "as many executions wait for room as may (`memory.backlog`): no events are taken in until a quarter of them is done"
                ),
                (true, false) => tracing::info!("executions have caught up: events are taken in again"),
                _ => {}
            }
        }
        Ok(counted.is_over.then(|| {
            format!(
                "{} executions wait for room already (`memory.backlog`), so no more events are taken in: send it again later",
                self.limit
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_held_up_until_a_quarter_is_done() {
        let mut counted = Counted::default();
        let seen = [0, 99, 100, 99, 75, 74, 99, 500, 75, 0].map(|count| counted.see(count, 100));
        assert_eq!(seen, [false, false, true, true, true, false, false, true, true, false]);
        let mut counted = Counted::default();
        assert_eq!([1, 1, 0].map(|count| counted.see(count, 1)), [true, true, false]);
    }
}
