//! What a map run does next.

use serde::{Deserialize, Serialize};

use super::{CHILDREN_A_WRITE, CHILDREN_AHEAD, CHILDREN_AT_ONCE, MapRunFailure};
use crate::{Status, failure};

/// `MaxConcurrency` and the tolerated failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapRunLimits {
    /// Child executions at once; 0 is no limit of the run's own.
    pub max_concurrency: u64,
    /// Items that may fail.
    pub tolerated_failure_count: Option<u64>,
    /// Percent of the items that may fail.
    pub tolerated_failure_percentage: Option<f64>,
}

/// Child executions, and the items in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Child executions.
    pub executions: u64,
    /// Their items.
    pub items: u64,
}

/// The children by how they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is AWS's count of the same name in DescribeMapRun")]
pub struct Counts {
    pub pending: Count,
    pub running: Count,
    pub succeeded: Count,
    pub failed: Count,
    pub timed_out: Count,
    pub aborted: Count,
    pub pending_redrive: Count,
    /// Among `failed`, `timed_out` and `aborted`.
    pub failures_not_redrivable: Count,
}

impl Counts {
    /// All children.
    pub fn total(&self) -> Count {
        let begun = [self.running, self.succeeded, self.failed, self.timed_out, self.aborted];
        let all = begun.iter().chain([&self.pending, &self.pending_redrive]);
        Count { executions: all.clone().map(|count| count.executions).sum(), items: all.map(|count| count.items).sum() }
    }

    /// The count of children that stand so.
    pub fn of(&mut self, status: Status) -> &mut Count {
        match status {
            Status::Running => &mut self.running,
            Status::Succeeded => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::TimedOut => &mut self.timed_out,
            Status::Aborted => &mut self.aborted,
        }
    }

    /// Children that are to begin, or to go on.
    fn waiting(&self) -> u64 {
        self.pending.executions.saturating_add(self.pending_redrive.executions)
    }

    /// Items whose child ended, and not well.
    fn unsuccessful_items(&self) -> u64 {
        self.failed.items.saturating_add(self.timed_out.items).saturating_add(self.aborted.items)
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Its items are being read, while children begin already.
    Reading,
    /// All its children are known.
    Running,
    /// It is over.
    Ended,
}

/// `status` of DescribeMapRun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is the status of the same name in DescribeMapRun")]
pub enum MapRunStatus {
    Running,
    Succeeded,
    Failed,
    Aborted,
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How far it is.
    pub phase: Phase,
    /// Its limits now.
    pub limits: MapRunLimits,
    /// Nobody waits for it any more.
    pub is_stopped: bool,
    /// Why it failed, once it has.
    pub failure: Option<MapRunFailure>,
    /// Its children.
    pub counts: Counts,
}

/// What a run does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// It reads the next of its items.
    Read,
    /// So many of the children that wait begin, or go on.
    Begin(u64),
    /// A child has to end first.
    Wait,
    /// It fails: that is to be kept before anything else.
    Fail(MapRunFailure),
    /// Its running children are to be stopped.
    StopChildren,
    /// It ends.
    Finish(MapRunStatus),
    /// Nothing more.
    Nothing,
}

/// What a run that stands so does next.
pub fn next(standing: &Standing) -> Next {
    let Standing { phase, limits, is_stopped, failure, counts } = standing;
    let end = match (is_stopped, failure) {
        (true, _) => Some(MapRunStatus::Aborted),
        (false, Some(_)) => Some(MapRunStatus::Failed),
        (false, None) => None,
    };
    match (phase, end) {
        (Phase::Ended, _) => Next::Nothing,
        (_, Some(_)) if counts.running.executions > 0 => Next::StopChildren,
        (_, Some(status)) => Next::Finish(status),
        (_, None) if exceeds(standing) => Next::Fail(MapRunFailure::new(
            failure::EXCEED_TOLERATED_FAILURE_THRESHOLD,
            "The specified tolerated failure threshold was exceeded",
        )),
        (Phase::Running, None) if counts.waiting() == 0 && counts.running.executions == 0 => {
            Next::Finish(MapRunStatus::Succeeded)
        }
        (_, None) => {
            let limit = match limits.max_concurrency {
                0 => CHILDREN_AT_ONCE,
                limit => limit.min(CHILDREN_AT_ONCE),
            };
            let room = limit.saturating_sub(counts.running.executions);
            match room.min(counts.waiting()).min(CHILDREN_A_WRITE) {
                0 if *phase == Phase::Reading && counts.pending.executions < CHILDREN_AHEAD => Next::Read,
                0 => Next::Wait,
                count => Next::Begin(count),
            }
        }
    }
}

/// Whether more items have failed than may. Where both a count and a percentage are given, either is enough. What is a percentage of
/// is known once all items have been read; before, only none at all can be exceeded.
fn exceeds(standing: &Standing) -> bool {
    let Standing { phase, limits, counts, .. } = standing;
    let failed = counts.unsuccessful_items();
    let over_count = |most: u64| failed > most;
    let over_percentage = |most: f64| match phase {
        Phase::Reading => most == 0.0 && failed > 0,
        Phase::Running | Phase::Ended => percentage(failed, counts.total().items) > most,
    };
    match (limits.tolerated_failure_count, limits.tolerated_failure_percentage) {
        (None, None) => failed > 0,
        (count, percentage) => count.is_some_and(over_count) || percentage.is_some_and(over_percentage),
    }
}

#[expect(clippy::cast_precision_loss, reason = "items are far fewer than a double holds exactly")]
fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(executions: u64) -> Count {
        Count { executions, items: executions }
    }

    fn running(limits: MapRunLimits, counts: Counts) -> Standing {
        Standing { phase: Phase::Running, limits, is_stopped: false, failure: None, counts }
    }

    #[test]
    fn children_begin_as_far_as_the_limits_allow() {
        let check = |max_concurrency, pending, busy, expected| {
            let limits = MapRunLimits { max_concurrency, ..MapRunLimits::default() };
            let counts = Counts { pending: count(pending), running: count(busy), ..Counts::default() };
            assert_eq!(next(&running(limits, counts)), expected, "{max_concurrency} {pending} {busy}");
        };
        check(0, 5, 0, Next::Begin(5));
        check(0, 5000, 0, Next::Begin(CHILDREN_A_WRITE));
        check(0, 5000, CHILDREN_AT_ONCE, Next::Wait);
        check(0, 5000, CHILDREN_AT_ONCE - 1, Next::Begin(1));
        check(2, 5, 1, Next::Begin(1));
        check(2, 5, 2, Next::Wait);
        check(50_000, 5, CHILDREN_AT_ONCE, Next::Wait);
        check(2, 0, 1, Next::Wait);
        check(2, 0, 0, Next::Finish(MapRunStatus::Succeeded));
    }

    #[test]
    fn children_begin_while_items_are_read() {
        let check = |pending, busy, expected| {
            let limits = MapRunLimits { max_concurrency: 2, ..MapRunLimits::default() };
            let counts = Counts { pending: count(pending), running: count(busy), ..Counts::default() };
            let reading = Standing { phase: Phase::Reading, ..running(limits, counts) };
            assert_eq!(next(&reading), expected, "{pending} {busy}");
        };
        check(0, 0, Next::Read);
        check(5, 0, Next::Begin(2));
        check(5, 2, Next::Read);
        check(CHILDREN_AHEAD, 2, Next::Wait);
        check(CHILDREN_AHEAD, 1, Next::Begin(1));
    }

    #[test]
    fn a_percentage_is_of_all_items() {
        let check = |phase, percentage, failed, fails: bool| {
            let limits = MapRunLimits { tolerated_failure_percentage: Some(percentage), ..MapRunLimits::default() };
            let counts = Counts { failed: count(failed), succeeded: count(1), ..Counts::default() };
            let standing = Standing { phase, ..running(limits, counts) };
            assert_eq!(matches!(next(&standing), Next::Fail(_)), fails, "{phase:?} {percentage} {failed}");
        };
        check(Phase::Reading, 10.0, 1, false);
        check(Phase::Running, 10.0, 1, true);
        check(Phase::Reading, 0.0, 1, true);
        check(Phase::Reading, 0.0, 0, false);
    }

    #[test]
    fn what_was_redriven_goes_on() {
        let counts = Counts { pending_redrive: count(3), succeeded: count(1), ..Counts::default() };
        let standing = running(MapRunLimits::default(), counts);
        assert_eq!(next(&standing), Next::Begin(3));
        assert_eq!(counts.total().executions, 4);
    }

    #[test]
    fn tolerated_failures_are_of_items() {
        let check = |tolerated: (Option<u64>, Option<f64>), failed_items: u64, fails: bool| {
            let limits = MapRunLimits {
                max_concurrency: 0,
                tolerated_failure_count: tolerated.0,
                tolerated_failure_percentage: tolerated.1,
            };
            let counts = Counts {
                timed_out: Count { executions: 1, items: failed_items },
                succeeded: Count { executions: 1, items: 10 - failed_items },
                ..Counts::default()
            };
            let did_fail = matches!(next(&running(limits, counts)), Next::Fail(_));
            assert_eq!(did_fail, fails, "{tolerated:?} {failed_items}");
        };
        check((None, None), 0, false);
        check((None, None), 1, true);
        check((Some(2), None), 2, false);
        check((Some(2), None), 3, true);
        check((None, Some(20.0)), 2, false);
        check((None, Some(20.0)), 3, true);
        check((Some(5), Some(20.0)), 3, true);
        check((Some(1), Some(50.0)), 3, true);
        check((Some(0), None), 0, false);
        check((None, Some(100.0)), 10, false);
    }

    #[test]
    fn a_run_that_is_over_stops_its_children_first() {
        let counts = Counts { pending: count(3), running: count(1), ..Counts::default() };
        let stopped = Standing { is_stopped: true, ..running(MapRunLimits::default(), counts) };
        assert_eq!(next(&stopped), Next::StopChildren);
        let none_left = Counts { aborted: count(1), running: count(0), ..counts };
        assert_eq!(next(&Standing { counts: none_left, ..stopped.clone() }), Next::Finish(MapRunStatus::Aborted));
        let failure = Some(MapRunFailure::of_reader("gone"));
        let reading =
            Standing { phase: Phase::Reading, is_stopped: false, failure, counts: Counts::default(), ..stopped };
        assert_eq!(next(&reading), Next::Finish(MapRunStatus::Failed));
        assert_eq!(next(&Standing { failure: None, ..reading.clone() }), Next::Read);
        assert_eq!(next(&Standing { phase: Phase::Ended, ..reading }), Next::Nothing);
    }
}
