//! What is random, made from a step's seed and from nothing else; and what only looks so.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use query::Moment;
use sha2::{Digest as _, Sha256};

fn hash(seed: &[u8; 32], purpose: &str, number: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed);
    hash.update(purpose);
    hash.update(number.to_be_bytes());
    hash.finalize().into()
}

/// The moment of one evaluation of a step: its own seed, so that two `$uuid()` of a step differ.
pub(crate) fn evaluation(moment: &Moment, number: u64) -> Moment {
    Moment { now: moment.now, seed: hash(&moment.seed, "evaluation", number) }
}

/// An unguessable task token, 64 bytes in base64.
pub(crate) fn task_token(moment: &Moment, event_id: u64) -> String {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend(hash(&moment.seed, "task token", event_id));
    bytes.extend(hash(&moment.seed, "task token, continued", event_id));
    STANDARD.encode(bytes)
}

/// A number from 0 to 1 for a retry's jitter.
pub(crate) fn jitter(moment: &Moment, event_id: u64) -> f64 {
    let [a, b, c, d, ..] = hash(&moment.seed, "jitter", event_id);
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

/// The same for the same execution and event, shaped as a UUID of version 8 (RFC 9562).
pub(crate) fn idempotency_token(execution_arn: &str, event_id: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(execution_arn);
    hash.update([0]);
    hash.update(event_id.to_be_bytes());
    as_uuid(hash.finalize().into())
}

/// The unique part of a map run's ARN.
pub(crate) fn map_run_name(moment: &Moment, event_id: u64) -> String {
    as_uuid(hash(&moment.seed, "map run", event_id))
}

/// The name of a map run's child execution: the same for the same run and number.
pub(crate) fn child_name(map_run_arn: &str, number: u64) -> String {
    let mut hash = Sha256::new();
    hash.update("child");
    hash.update(map_run_arn);
    hash.update(number.to_be_bytes());
    as_uuid(hash.finalize().into())
}

/// The label of a Distributed Map that has none: the same for the same machine and state.
pub(crate) fn label(state_machine: &str, state: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("label");
    hash.update(state_machine);
    hash.update([0]);
    hash.update(state);
    as_uuid(hash.finalize().into())
}

fn as_uuid(bytes: [u8; 32]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().take(16).enumerate() {
        let byte = match index {
            6 => byte & 0x0f | 0x80,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        };
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 0x0f].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}
