//! The machine's own clock and random numbers.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Clock;

/// UUIDs that a seed is made of: each has 122 bits from the operating system's random source, so three have more than the 256 that
/// a seed holds.
const UUIDS: usize = 3;

/// The time of the operating system, and its random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn seed(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for _ in 0..UUIDS {
            hash.update(Uuid::new_v4().as_bytes());
        }
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        let (first, second) = (SystemClock.seed(), SystemClock.seed());
        assert!(first != second && first != [0; 32]);
    }
}
