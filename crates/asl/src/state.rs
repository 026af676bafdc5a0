//! A state: what all types share here, one file a type below.

pub mod choice;
pub mod fail;
pub mod map;
pub mod parallel;
pub mod pass;
pub mod task;
pub mod wait;

use query::{Language, Template, jsonpath::Path};

pub use choice::{Choice, ChoiceRule, Comparator, Condition, Operand};
pub use fail::Fail;
pub use map::{Map, ProcessorMode};
pub use parallel::Parallel;
pub use pass::Pass;
pub use task::Task;
pub use wait::{Wait, WaitUntil};

/// One state.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// `Comment`.
    pub comment: Option<String>,
    /// The query language of its fields.
    pub query_language: Language,
    /// `InputPath` (JSONPath).
    pub input_path: Selector,
    /// `Parameters` (JSONPath; Pass, Task, Map, Parallel).
    pub parameters: Option<Template>,
    /// `ResultSelector` (JSONPath; Task, Map, Parallel).
    pub result_selector: Option<Template>,
    /// `ResultPath` (JSONPath; Pass, Task, Map, Parallel).
    pub result_path: Selector,
    /// `OutputPath` (JSONPath).
    pub output_path: Selector,
    /// `Arguments` (JSONata; Task, Parallel).
    pub arguments: Option<Template>,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
    /// Where it goes on; `None` where `End` is true, and for Choice, Succeed and Fail.
    pub next: Option<String>,
    /// `Retry` (Task, Map, Parallel).
    pub retry: Vec<Retrier>,
    /// `Catch` (Task, Map, Parallel).
    pub catch: Vec<Catcher>,
    /// Its type and what only that type has.
    pub kind: Kind,
}

/// The eight state types.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Calls something.
    Task(Box<Task>),
    /// Hands on.
    Pass(Pass),
    /// Chooses.
    Choice(Choice),
    /// Waits.
    Wait(Wait),
    /// Ends well.
    Succeed,
    /// Ends badly.
    Fail(Fail),
    /// Does several things at once.
    Parallel(Parallel),
    /// Does one thing for each item.
    Map(Box<Map>),
}

/// `InputPath`, `OutputPath`, `ResultPath`: a path, all of it where nothing is said, or `null`.
#[derive(Clone, Debug, Default)]
pub enum Selector {
    /// `$`: nothing said.
    #[default]
    Whole,
    /// `null`: `{}` of an input or output; the result dropped for ResultPath.
    Null,
    /// A path.
    Path(Path),
}

/// One element of `Retry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrier {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `IntervalSeconds`, 1 unless said.
    pub interval_seconds: u64,
    /// `MaxAttempts`, 3 unless said.
    pub max_attempts: u64,
    /// `BackoffRate`, 2.0 unless said.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`.
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy` is `FULL`.
    pub jitter: bool,
}

/// One element of `Catch`.
#[derive(Clone, Debug)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub error_equals: Vec<String>,
    /// `Next`.
    pub next: String,
    /// `ResultPath` (JSONPath).
    pub result_path: Selector,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
}
