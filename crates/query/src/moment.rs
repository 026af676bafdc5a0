//! All that an evaluation may know of the world.

use jiff::Timestamp;

/// The instant at which something is evaluated, and the seed of all its randomness.
///
/// `$now()`, `$millis()`, `$random()`, `$uuid()`, `States.UUID`, `States.MathRandom`, retry jitter and task tokens come from
/// here and from nowhere else, so that the same moment gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// 256 bits of randomness, new for each step.
    pub seed: [u8; 32],
}
