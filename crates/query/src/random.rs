//! Randomness, all of it from the seed of the moment.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{RngCore as _, SeedableRng as _},
};
use sha2::{Digest as _, Sha256};

use crate::Moment;

/// A generator for one expression at one place: two places, or two expressions, of one moment do not agree.
pub fn generator(moment: &Moment, place: &str, text: &str) -> ChaCha20Rng {
    seeded(&[&moment.seed, place.as_bytes(), text.as_bytes()])
}

/// A generator from any bytes.
pub fn seeded(parts: &[&[u8]]) -> ChaCha20Rng {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    ChaCha20Rng::from_seed(hash.finalize().into())
}

/// A number in [0, 1).
pub fn fraction(generator: &mut ChaCha20Rng) -> f64 {
    // 53 bits are what the fraction of a double holds.
    #[expect(clippy::cast_precision_loss, reason = "both numbers are below 2^53 and exact")]
    let fraction = (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    fraction
}

/// A number in [0, bound); 0 where the bound is.
pub fn below(generator: &mut ChaCha20Rng, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    // The numbers above the last multiple of the bound would favour the small ones.
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let number = generator.next_u64();
        if number < limit {
            return number % bound;
        }
    }
}

/// A UUID, version 4 (RFC 9562).
pub fn uuid(generator: &mut ChaCha20Rng) -> String {
    let mut bits = u128::from(generator.next_u64()) << 64 | u128::from(generator.next_u64());
    bits = bits & !(0xf << 76) | 0x4 << 76;
    bits = bits & !(0x3 << 62) | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
