//! Wait.

use crate::Dynamic;

/// What only a Wait has.
#[derive(Clone, Debug)]
pub struct Wait {
    /// How long.
    pub until: WaitUntil,
}

/// How long a Wait waits.
#[derive(Clone, Debug)]
pub enum WaitUntil {
    /// `Seconds`, `SecondsPath`.
    Seconds(Dynamic),
    /// `Timestamp`, `TimestampPath`.
    Timestamp(Dynamic),
}
