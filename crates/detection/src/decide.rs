//! What to do about an occurrence, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a guardrail may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Tell, and change nothing.
    #[default]
    Alert,
    /// Ask a person first.
    Approve,
    /// Fix at once.
    Fix,
}

/// What fixing may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing that is meant to work.
    Safe,
    /// What somebody may rely on: asks first unless told otherwise.
    Disruptive,
}

/// What to do about an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing: an exception.
    Leave,
    /// Tell somebody.
    Tell,
    /// Ask somebody.
    Ask,
    /// Fix it.
    Fix,
}

/// A guardrail's settings, from `rectify.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The mode that holds for it.
    pub mode: Mode,
    /// Whether the mode was set for this very guardrail: such a `fix` overrides `disruptive`'s asking first.
    pub mode_is_its_own: bool,
    /// The guardrail's risk.
    pub risk: Risk,
    /// Its parameters, defaults filled in: `$parameters`.
    pub parameters: Map<String, Value>,
    /// How many fixes it may do in an hour in one account.
    pub fixes_per_hour: u64,
    /// How long a question waits, in seconds.
    pub approval_timeout_seconds: u64,
}

/// Something that a guardrail leaves alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// The guardrail, or all.
    pub guardrail: Option<String>,
    /// The resource, or all.
    pub resource: Option<String>,
    /// The account, or all.
    pub account: Option<String>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub author: String,
    /// Until when.
    pub until: Timestamp,
}

/// What a decision needs to know, fetched by the store in the same write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The exceptions there are.
    pub exceptions: Vec<Exception>,
    /// How many fixes this guardrail was allowed in this account in the last hour.
    pub fixes_in_the_last_hour: u64,
}
