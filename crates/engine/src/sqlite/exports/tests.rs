use detection::{Finding, Sighting};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::tempdir;

use super::*;
use crate::ports::FindingStore as _;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A finding after so many sightings.
fn seen(resource: &str, times: u64) -> Finding {
    let sighting = |number: u64| Sighting {
        rule: None,
        guardrail: "g".to_owned(),
        title: "It is open".to_owned(),
        severity: detection::Severity::High,
        resource_type: "AWS::S3::Bucket".to_owned(),
        resource: resource.to_owned(),
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        event_id: number.to_string(),
        event_time: at(1),
        actor: None,
    };
    (2..=times).fold(Finding::sight(None, &sighting(1), at(1)).finding, |finding, number| {
        Finding::sight(Some(&finding), &sighting(number), at(1)).finding
    })
}

async fn save(store: &SqliteStore, finding: Finding) {
    let there = store.finding(&finding.id).await.unwrap();
    store.writer.write(move |connection| findings::save(connection, &finding, there.as_ref())).await.unwrap();
}

/// The resources of those that are pending at a second, with how often they were refused.
async fn due(store: &SqliteStore, second: i64, limit: usize) -> Vec<(String, u64, u32)> {
    let pending = store.pending_exports(at(second), limit).await.unwrap();
    pending.into_iter().map(|p| (p.finding.resource, p.finding.version, p.attempts)).collect()
}

fn outcome(resource: &str, version: u64, refused: Option<i64>) -> ExportOutcome {
    let refused = refused.map(|second| ("no".to_owned(), at(second)));
    ExportOutcome { finding: seen(resource, 1).id, version, refused }
}

#[tokio::test]
async fn a_change_is_pending_until_it_was_taken_also_after_a_crash() {
    let folder = tempdir().unwrap();
    let store = SqliteStore::open(folder.path()).unwrap();
    save(&store, seen("a", 1)).await;
    save(&store, seen("b", 1)).await;
    let row = |resource: &str, version: u64, attempts: u32| (resource.to_owned(), version, attempts);
    assert_eq!(due(&store, 0, 10).await, [row("a", 1, 0), row("b", 1, 0)]);
    assert_eq!(due(&store, 0, 1).await, [row("a", 1, 0)]);

    // One that changes while it is told stays pending.
    save(&store, seen("a", 2)).await;
    store.note_exports(vec![outcome("a", 1, None), outcome("b", 1, None)]).await.unwrap();
    assert_eq!(due(&store, 0, 10).await, [row("a", 2, 0)]);
    let id = seen("a", 1).id;
    assert_eq!(
        store.export_standing(&id).await.unwrap(),
        ExportStanding { exported_version: 1, ..ExportStanding::default() }
    );

    // What is refused waits, behind others, and says why; a further change makes it no earlier.
    store.note_exports(vec![outcome("a", 2, Some(50))]).await.unwrap();
    save(&store, seen("a", 3)).await;
    save(&store, seen("b", 2)).await;
    assert_eq!(due(&store, 49, 10).await, [row("b", 2, 0)]);
    assert_eq!(due(&store, 50, 10).await, [row("b", 2, 0), row("a", 3, 1)]);
    let standing =
        ExportStanding { exported_version: 1, attempts: 1, error: Some("no".to_owned()), due_at: Some(at(50)) };
    assert_eq!(store.export_standing(&id).await.unwrap(), standing);

    drop(store);
    let store = loop {
        // The lock goes with the writer's thread.
        match SqliteStore::open(folder.path()) {
            Ok(store) => break Arc::new(store),
            Err(_) => std::thread::yield_now(),
        }
    };
    assert_eq!(due(&store, 50, 10).await, [row("b", 2, 0), row("a", 3, 1)]);
    // An answer that comes late takes nothing back.
    store.note_exports(vec![outcome("a", 3, None), outcome("a", 1, None), outcome("b", 2, None)]).await.unwrap();
    assert_eq!(due(&store, 50, 10).await, []);
    assert_eq!(store.export_standing("nobody").await.unwrap(), ExportStanding::default());
}
