//! Tells AWS Security Hub of every change of a finding (`BatchImportFindings`), in the finding's own account and Region.
//!
//! What is to be told is in the store ([`ExportStore`]), so that a crash loses nothing: at worst it is told twice, which Security Hub
//! knows by `Id` and `UpdatedAt`. Nobody waits for it. What is refused is tried again, with growing pauses and for ever, since the
//! reason may be mended: Security Hub not enabled, a permission missing.
//!
//! Source: <https://docs.aws.amazon.com/securityhub/latest/partnerguide/guidelines-batchimportfindings.html>

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use aws::{Aws, Call};
use detection::{Finding, arn::partition};
use engine::{
    Clock,
    ports::{ExportOutcome, ExportStore, PendingExport, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// Findings read at once.
const PAGE: usize = 200;
/// The most findings of one call, the most bytes of a finding, and those of a call (6 MB) with room for what is around them.
const BATCH_LIMIT: usize = 100;
const FINDING_LIMIT_BYTES: usize = 240_000;
const BATCH_LIMIT_BYTES: usize = 5_000_000;
/// How often the store is looked at while there is nothing to tell: changes within that time are told as one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause after a refusal, doubled with each further one up to the limit.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(2);
const PAUSE_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// How much of a reason is kept.
const REASON_LIMIT: usize = 1000;

/// Tells Security Hub.
pub struct SecurityHub {
    store: Arc<dyn ExportStore>,
    clock: Arc<dyn Clock>,
    aws: Aws,
    /// The name of the role by which accounts are reached.
    role: Option<String>,
    /// The controls of each guardrail.
    controls: BTreeMap<String, Vec<String>>,
    /// Accounts and Regions that do not answer. There are no more of them than accounts and Regions with findings.
    troubles: HashMap<Destination, Trouble>,
}

/// Account and Region.
type Destination = (String, String);

/// A destination that takes nothing now.
struct Trouble {
    refusals: u32,
    until: Timestamp,
    reason: String,
}

/// A finding in ASFF, and what it was made of.
struct Parcel {
    id: String,
    version: u64,
    attempts: u32,
    asff: Value,
    bytes: usize,
}

impl SecurityHub {
    /// Tells of what is in the store. `role` is the name of the role to assume in each account, `controls` are those of each guardrail.
    pub fn new(
        store: Arc<dyn ExportStore>,
        clock: Arc<dyn Clock>,
        aws: Aws,
        role: Option<String>,
        controls: BTreeMap<String, Vec<String>>,
    ) -> SecurityHub {
        SecurityHub { store, clock, aws, role, controls, troubles: HashMap::new() }
    }

    /// Never ends. Begins with what the last process had not told.
    pub async fn run(mut self) {
        let mut is_failing = false;
        loop {
            match self.round().await {
                Ok(0) => {
                    is_failing = false;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(_) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::error!(%error, "the store does not say which findings Security Hub has to be told of; trying again");
                    }
                    is_failing = true;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }

    /// Tells of a page of findings; how many there were.
    pub async fn round(&mut self) -> Result<usize, StoreError> {
        let page = self.store.pending_exports(self.clock.now(), PAGE).await?;
        let count = page.len();
        let mut harmless = Vec::new();
        let mut parcels: BTreeMap<Destination, Vec<Parcel>> = BTreeMap::new();
        for pending in page {
            let destination = (pending.finding.account.clone(), pending.finding.region.clone());
            if pending.finding.is_of_interest() {
                parcels.entry(destination).or_default().push(self.parcel(&pending));
            } else {
                harmless.push(taken(pending.finding.id, pending.finding.version));
            }
        }
        if !harmless.is_empty() {
            self.store.note_exports(harmless).await?;
        }
        for (destination, parcels) in parcels {
            for batch in batches(parcels) {
                let outcomes = self.send(&destination, batch).await;
                self.store.note_exports(outcomes).await?;
            }
        }
        Ok(count)
    }

    fn parcel(&self, pending: &PendingExport) -> Parcel {
        let Finding { id, version, guardrail, .. } = &pending.finding;
        let controls = self.controls.get(guardrail).map(Vec::as_slice).unwrap_or_default();
        let asff = pending.finding.asff(controls);
        let bytes = asff.to_string().len();
        Parcel { id: id.clone(), version: *version, attempts: pending.attempts, asff, bytes }
    }

    /// Sends a batch, unless its destination is known to take nothing now.
    async fn send(&mut self, destination: &Destination, batch: Vec<Parcel>) -> Vec<ExportOutcome> {
        let now = self.clock.now();
        if let Some(trouble) = self.troubles.get(destination).filter(|trouble| now < trouble.until) {
            return batch.into_iter().map(|parcel| refused(parcel, &trouble.reason, trouble.until)).collect();
        }
        let (fitting, too_long): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|parcel| parcel.bytes <= FINDING_LIMIT_BYTES);
        let mut done: Vec<ExportOutcome> = Vec::new();
        for parcel in too_long {
            let reason = format!("it has {} bytes in ASFF, and Security Hub takes {FINDING_LIMIT_BYTES}", parcel.bytes);
            done.push(refused_alone(parcel, &reason, now));
        }
        if fitting.is_empty() {
            return done;
        }
        let findings: Vec<Value> = fitting.iter().map(|parcel| parcel.asff.clone()).collect();
        match self.aws.call(self.call(destination, findings)).await {
            Ok(answer) => {
                self.recovered(destination);
                done.extend(outcomes(fitting, &answer, now));
            }
            Err(error) => {
                let (reason, until) = self.in_trouble(destination, cut(&error.to_string()));
                done.extend(fitting.into_iter().map(|parcel| refused(parcel, &reason, until)));
            }
        }
        done
    }

    fn call(&self, (account, region): &Destination, findings: Vec<Value>) -> Call {
        let role_arn = self.role.as_ref().map(|role| format!("arn:{}:iam::{account}:role/{role}", partition(region)));
        Call {
            service: "securityhub".to_owned(),
            action: "batchImportFindings".to_owned(),
            parameters: json!({"Findings": findings}),
            region: Some(region.clone()),
            role_arn,
            idempotency_token: None,
            attempts: 3,
            timeout_seconds: 30,
            answer_bytes: None,
        }
    }

    /// Told once, until the destination has taken something again.
    fn in_trouble(&mut self, destination: &Destination, reason: String) -> (String, Timestamp) {
        let now = self.clock.now();
        let trouble = self.troubles.entry(destination.clone()).or_insert_with(|| {
            let (account, region) = destination;
            tracing::warn!(
                account,
                region,
                reason,
                "Security Hub takes no findings; they are kept, and tried again until it does"
            );
            Trouble { refusals: 0, until: now, reason: String::new() }
        });
        trouble.until = after(now, trouble.refusals);
        trouble.refusals = trouble.refusals.saturating_add(1);
        trouble.reason.clone_from(&reason);
        (reason, trouble.until)
    }

    fn recovered(&mut self, destination: &Destination) {
        if self.troubles.remove(destination).is_some() {
            let (account, region) = destination;
            tracing::info!(account, region, "Security Hub takes findings again");
        }
    }
}

/// What became of each: those of `FailedFindings` were refused, the others taken.
fn outcomes(batch: Vec<Parcel>, answer: &Value, now: Timestamp) -> Vec<ExportOutcome> {
    let failed = answer.get("FailedFindings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |failure: &Value, name: &str| failure.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let reason = |failure: &Value| format!("{}: {}", text(failure, "ErrorCode"), text(failure, "ErrorMessage"));
    let failures: HashMap<String, String> =
        failed.iter().map(|failure| (text(failure, "Id"), cut(&reason(failure)))).collect();
    let outcome = |parcel: Parcel| {
        let id = parcel.asff.get("Id").and_then(Value::as_str).unwrap_or_default();
        match failures.get(id) {
            None => taken(parcel.id, parcel.version),
            Some(reason) => refused_alone(parcel, reason, now),
        }
    };
    batch.into_iter().map(outcome).collect()
}

/// A finding that is refused while others are taken is told of once.
fn refused_alone(parcel: Parcel, reason: &str, now: Timestamp) -> ExportOutcome {
    if parcel.attempts == 0 {
        tracing::warn!(
            finding = parcel.id,
            reason,
            "Security Hub refuses a finding; it is tried again, and told no more"
        );
    }
    let due = after(now, parcel.attempts);
    refused(parcel, reason, due)
}

/// Batches within the limits of a call, in their order.
fn batches(parcels: Vec<Parcel>) -> Vec<Vec<Parcel>> {
    let mut batches: Vec<Vec<Parcel>> = Vec::new();
    let mut bytes = 0;
    for parcel in parcels {
        bytes += parcel.bytes;
        match batches.last_mut().filter(|batch| batch.len() < BATCH_LIMIT && bytes <= BATCH_LIMIT_BYTES) {
            Some(batch) => batch.push(parcel),
            None => {
                bytes = parcel.bytes;
                batches.push(vec![parcel]);
            }
        }
    }
    batches
}

fn taken(finding: String, version: u64) -> ExportOutcome {
    ExportOutcome { finding, version, refused: None }
}

fn refused(parcel: Parcel, reason: &str, due: Timestamp) -> ExportOutcome {
    ExportOutcome { finding: parcel.id, version: parcel.version, refused: Some((reason.to_owned(), due)) }
}

/// When something is tried again that was refused so often before.
fn after(now: Timestamp, refusals: u32) -> Timestamp {
    let doubled = 1_i32.checked_shl(refusals.min(30)).unwrap_or(i32::MAX);
    let pause = FIRST_PAUSE.saturating_mul(doubled).min(PAUSE_LIMIT);
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn cut(reason: &str) -> String {
    reason.chars().take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_the_limits_of_a_call() {
        let check = |sizes: &[usize], expected: &[usize]| {
            let parcel = |(number, bytes): (usize, &usize)| Parcel {
                id: number.to_string(),
                version: 1,
                attempts: 0,
                asff: Value::Null,
                bytes: *bytes,
            };
            let made = batches(sizes.iter().enumerate().map(parcel).collect());
            assert_eq!(made.iter().map(Vec::len).collect::<Vec<_>>(), expected);
            let order: Vec<String> = made.into_iter().flatten().map(|parcel| parcel.id).collect();
            assert!(order.iter().enumerate().all(|(number, id)| *id == number.to_string()), "{order:?}");
        };
        check(&[], &[]);
        check(&[10; 100], &[100]);
        check(&[10; 250], &[100, 100, 50]);
        check(&[240_000; 30], &[20, 10]);
        check(&[5_000_000, 1, 6_000_000, 1], &[1, 1, 1, 1]);
    }

    #[test]
    fn of_a_batch_some_are_refused() {
        let parcel = |id: &str, attempts: u32| {
            let asff = json!({"Id": format!("rectify/{id}")});
            Parcel { id: id.to_owned(), version: 7, attempts, asff, bytes: 1 }
        };
        let check = |answer: Value, expected: [Option<(&str, i64)>; 3]| {
            let batch = vec![parcel("a", 0), parcel("b", 0), parcel("c", 3)];
            let found = outcomes(batch, &answer, Timestamp::UNIX_EPOCH);
            let shown: Vec<_> = found
                .iter()
                .map(|outcome| {
                    assert_eq!(outcome.version, 7);
                    outcome.refused.as_ref().map(|(reason, due)| (reason.as_str(), due.as_second()))
                })
                .collect();
            assert_eq!(shown, expected, "{answer}");
        };
        check(json!({"FailedCount": 0, "SuccessCount": 3, "FailedFindings": []}), [None, None, None]);
        check(json!({"SuccessCount": 3}), [None, None, None]);
        let failure =
            |id: &str| json!({"Id": format!("rectify/{id}"), "ErrorCode": "InvalidInput", "ErrorMessage": "no"});
        let failed =
            json!({"FailedCount": 2, "SuccessCount": 1, "FailedFindings": [failure("a"), failure("c"), failure("x")]});
        check(failed, [Some(("InvalidInput: no", 2)), None, Some(("InvalidInput: no", 16))]);
    }

    #[test]
    fn pauses_are_doubled_up_to_a_limit() {
        let check = |refusals: u32, seconds: i64| {
            assert_eq!(after(Timestamp::UNIX_EPOCH, refusals).as_second(), seconds, "{refusals}");
        };
        for (refusals, seconds) in [(0, 2), (1, 4), (5, 64), (8, 512), (9, 900), (u32::MAX, 900)] {
            check(refusals, seconds);
        }
    }
}
