use execution::{MapRunSpecification, map_run::MapRunRedrive};
use tempfile::tempdir;

use super::*;
use crate::{
    ports::{Begun, ExecutionStore as _, MapRunChange, Progress},
    sqlite::tests::{new_execution, progress},
};

const RUN: &str = "arn:aws:states:eu-central-1:123456789012:mapRun:m/l:r";

fn end() -> MapRunEnd {
    MapRunEnd {
        status: MapRunStatus::Aborted,
        result: None,
        failure: None,
        results_written: Count::default(),
        at: Timestamp::UNIX_EPOCH,
    }
}

/// Whether a run goes on, and whether it is given up, after it began and these writes, with its end in between where it says so.
async fn after(writes: &[&str]) -> (bool, bool) {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    let run = MapRunSpecification { arn: RUN.to_owned(), ..MapRunSpecification::default() };
    let begun = store.begin(new_execution("a"), Progress { map_runs: vec![run], ..progress() }).await.unwrap();
    let Begun::New(execution) = begun else { panic!("{begun:?}") };
    for write in writes {
        if *write == "end" {
            store.end_map_run(1, end()).await.unwrap();
            continue;
        }
        let change = |change| match change {
            "stop" => MapRunChange::Stopped(RUN.to_owned()),
            _ => {
                let at = Timestamp::UNIX_EPOCH;
                MapRunChange::Redriven(MapRunRedrive { arn: RUN.to_owned(), event_id: 9, count: 1, at })
            }
        };
        let map_run_changes = write.split(", ").map(change).collect();
        store.record(execution, Progress { map_run_changes, ..progress() }).await.unwrap();
    }
    let standing = store.map_run(RUN).await.unwrap().unwrap().standing;
    (standing.phase != Phase::Ended, standing.is_stopped)
}

#[tokio::test]
async fn stops_and_redrives_count_in_their_order() {
    for (writes, goes_on, is_stopped) in [
        (["stop", "end", "redrive, stop"].as_slice(), true, true),
        (&["stop", "end", "redrive"], true, false),
        (&["stop", "end", "redrive, stop, redrive"], true, true),
        (&["stop", "redrive", "end"], true, false),
        (&["stop", "redrive", "stop", "end"], false, true),
        (&["stop, redrive, stop", "end"], false, true),
        (&["stop", "redrive", "stop", "redrive", "end"], true, false),
    ] {
        assert_eq!(after(writes).await, (goes_on, is_stopped), "{writes:?}");
    }
}
