//! Map runs: the child executions of a Distributed Map, as a pure state machine.
//!
//! The execution that enters the Map evaluates all that can be evaluated then, and hands it over as a [`MapRunSpecification`].
//! [`Inputs`] makes the children's inputs of the items, [`next`] says what the run does next, [`results`] what comes of it. Who
//! drives the run fetches the items, keeps the children and counts how they end.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>

mod inputs;
mod progress;
pub mod results;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Json, failure, limits::Quotas, random};

pub use self::{
    inputs::{ChildInput, Inputs, Item},
    progress::{Count, Counts, MapRunLimits, MapRunStatus, Next, Phase, Standing, next},
};

/// Child executions of a run at once, whatever its `MaxConcurrency`. AWS's limit is 10,000.
pub const CHILDREN_AT_ONCE: u64 = 1_000;
/// Child executions begun in one write.
pub const CHILDREN_A_WRITE: u64 = 64;
/// Children that wait to begin while more items are still to be read: beyond it, the reading waits for them.
pub const CHILDREN_AHEAD: u64 = 1_024;

/// All that a map run is to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapRunSpecification {
    /// Its ARN.
    pub arn: String,
    /// The execution that waits for it.
    pub execution_arn: String,
    /// Its `MapRunStarted` there.
    pub event_id: u64,
    /// The `MapStateEntered` there.
    pub entered_id: u64,
    /// When.
    pub started_at: Timestamp,
    /// The Map.
    pub state_name: String,
    /// The ARN that its children's machine has: `…:stateMachine:MACHINE/LABEL`.
    pub state_machine_arn: String,
    /// The machine's role.
    pub role_arn: String,
    /// Whether its children are Express executions.
    pub is_express: bool,
    /// What of AWS's quotas is raised for the execution that waits for it.
    #[serde(default)]
    pub quotas: Quotas,
    /// Where the items come from.
    pub source: ItemSource,
    /// How many at once, how many may fail. `UpdateMapRun` changes them.
    pub limits: MapRunLimits,
    /// `ItemBatcher`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batching: Option<Batching>,
    /// `ResultWriter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writing: Option<Writing>,
    /// What `ItemSelector` sees, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Surroundings>,
}

/// A run that failed or was given up goes on: what had not succeeded of it is done again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRunRedrive {
    /// Its ARN.
    pub arn: String,
    /// Its `MapRunRedriven`, which its end is told by.
    pub event_id: u64,
    /// How often it was redriven with this one.
    pub count: u64,
    /// When.
    pub at: Timestamp,
}

/// Where the items come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ItemSource {
    /// The state's input: an array or an object.
    Items(Json),
    /// `ItemReader`.
    Reader(Reading),
}

impl Default for ItemSource {
    fn default() -> ItemSource {
        ItemSource::Items(Json::new(Value::Array(Vec::new())))
    }
}

/// `ItemReader`, evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// `Resource`.
    pub resource: String,
    /// `Parameters`, `Arguments`.
    pub arguments: Value,
    /// `ReaderConfig`, as written; `null` where there is none.
    pub config: Value,
    /// `MaxItems`; 0 is no limit. Negative, the run fails.
    pub max_items: i64,
}

/// `ItemBatcher`, evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batching {
    /// `MaxItemsPerBatch`.
    pub max_items: Option<u64>,
    /// `MaxInputBytesPerBatch`.
    pub max_bytes: Option<u64>,
    /// `BatchInput`.
    pub input: Option<Value>,
}

/// `ResultWriter`, evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writing {
    /// Where results are exported to, if they are.
    pub destination: Option<Destination>,
    /// `WriterConfig.Transformation`.
    pub transformation: Transformation,
    /// `WriterConfig.OutputType`.
    pub output_type: OutputType,
}

/// A place in S3.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// `Bucket`.
    pub bucket: String,
    /// `Prefix`.
    pub prefix: String,
}

/// `WriterConfig.Transformation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transformation {
    /// Each child execution with all that is known of it.
    None,
    /// Each child's output.
    Compact,
    /// The same, arrays dissolved.
    Flatten,
}

/// `WriterConfig.OutputType`: of exported files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputType {
    /// An array.
    Json,
    /// A line for each.
    JsonLines,
}

/// What `ItemSelector` sees beside the item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The Map's effective input.
    pub input: Json,
    /// The context object.
    pub context: Value,
    /// The variables.
    pub variables: Map<String, Value>,
    /// When the Map was entered.
    pub now: Timestamp,
    /// What randomness is made from.
    pub seed: [u8; 32],
}

/// Why a map run failed, as `MapRunFailed` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRunFailure {
    /// `error`.
    pub error: Option<String>,
    /// `cause`.
    pub cause: Option<String>,
}

impl MapRunFailure {
    fn new(error: &str, cause: impl Into<String>) -> MapRunFailure {
        MapRunFailure { error: Some(error.to_owned()), cause: Some(cause.into()) }
    }

    /// `States.ItemReaderFailed`.
    pub fn of_reader(cause: impl Into<String>) -> MapRunFailure {
        MapRunFailure::new(failure::ITEM_READER_FAILED, cause)
    }

    /// `States.ResultWriterFailed`.
    pub fn of_writer(cause: impl Into<String>) -> MapRunFailure {
        MapRunFailure::new(failure::RESULT_WRITER_FAILED, cause)
    }

    /// `States.DataLimitExceeded`: of the items' inputs or the results of a Map.
    pub fn data_limit(state_name: &str) -> MapRunFailure {
        let failure = failure::Failure::data_limit(state_name);
        MapRunFailure { error: failure.error, cause: failure.cause }
    }
}

impl MapRunSpecification {
    /// The name of the child execution of this number: always the same, so none is begun twice.
    pub fn child_name(&self, number: u64) -> String {
        random::child_name(&self.arn, number)
    }

    /// The ARN of a child execution of that name.
    pub fn child_arn(&self, name: &str) -> String {
        format!("{}:{name}", self.state_machine_arn.replacen(":stateMachine:", ":execution:", 1))
    }

    /// The ARN of an Express child of this number, begun for the n-th time: after each redrive it is another execution.
    pub fn express_child_arn(&self, number: u64, attempt: u64) -> String {
        let machine = self.state_machine_arn.replacen(":stateMachine:", ":express:", 1);
        let own = random::child_name(&format!("{}/{attempt}", self.arn), number);
        format!("{machine}:{}:{own}", self.child_name(number))
    }

    /// The unique part of its ARN, the folder of its exported results.
    pub fn name(&self) -> &str {
        self.arn.rsplit(':').next().unwrap_or_default()
    }
}
