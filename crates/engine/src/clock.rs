//! The machine's own clock and random numbers.

use jiff::Timestamp;
use uuid::Uuid;

use crate::Clock;

/// The time of the operating system, and its random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn seed(&self) -> [u8; 32] {
        // A version 4 UUID has 122 random bits from the operating system; hashing four of them leaves 256 bits that nobody can guess.
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for _ in 0..4 {
            hash.update(Uuid::new_v4().as_bytes());
        }
        hash.finalize().into()
    }
}
