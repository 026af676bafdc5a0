//! What a row says.

use asl::integration::Pattern;
use engine::ports::Task;
use serde_json::{Map, Value};

use super::super::Failure;

type Members = Map<String, Value>;

/// What an optimized integration does. Its patterns and parameters are told by [`asl::integration`].
pub(super) struct Row {
    /// As in the Resource.
    pub service: &'static str,
    /// As in the Resource.
    pub action: &'static str,
    /// The service that is called, as the `aws-sdk` integration names it.
    pub aws_service: &'static str,
    /// Its action.
    pub aws_action: &'static str,
    /// Parameters that may be JSON and travel as text.
    pub texts: &'static [&'static str],
    /// From the task's parameters to those of the API.
    pub request: fn(Members, &Task) -> Result<Members, Failure>,
    /// From the API's answer to the result.
    pub answer: fn(Members, Pattern) -> Result<Members, Failure>,
    /// How the end of a job is known, where it begins one.
    pub job: Option<Job>,
}

/// How the end of a job is known. Pointers are RFC 6901's.
pub(super) struct Job {
    /// The action that tells how it stands.
    pub describe: &'static str,
    /// What it is asked with.
    pub by: &'static [Argument],
    /// Where its answer has the status.
    pub status: &'static str,
    /// The status of a job that ended well.
    pub good: &'static [&'static str],
    /// The status of a job that ended badly.
    pub bad: &'static [&'static str],
    /// Whether a job that is not there any more ended well: something is deleted.
    pub gone: bool,
    /// Whether a job with a good status did end well after all.
    pub went_well: fn(&Value) -> bool,
    /// Which part of the answer is the result.
    pub shown: &'static str,
    /// Members of that part which the result does not have.
    pub hidden: &'static [&'static str],
    /// Members of the answer to its begin that the result has as well.
    pub kept: &'static [&'static str],
    /// The result of a job that ended well.
    pub output: fn(Value, Pattern) -> Value,
    /// The action that stops it, and what that is asked with.
    pub stop: Option<(&'static str, &'static [Argument])>,
}

/// An argument of a call about a job. The pointer is into `{"Parameters": the task's, "Answer": the answer to its begin, "Aborted": why
/// it is stopped}`; where there is nothing, the argument is left out.
pub(super) enum Argument {
    /// A value.
    One(&'static str, &'static str),
    /// The only element of a list.
    List(&'static str, &'static str),
}

/// What most rows are.
pub(super) const fn row(service: &'static str, action: &'static str, aws_service: &'static str) -> Row {
    Row {
        service,
        action,
        aws_service,
        aws_action: action,
        texts: &[],
        request: |parameters, _| Ok(parameters),
        answer: |answer, _| Ok(answer),
        job: None,
    }
}

/// What most jobs are.
pub(super) const JOB: Job = Job {
    describe: "",
    by: &[],
    status: "",
    good: &[],
    bad: &[],
    gone: false,
    went_well: |_| true,
    shown: "",
    hidden: &[],
    kept: &[],
    output: |output, _| output,
    stop: None,
};

impl Argument {
    /// The arguments as parameters.
    pub(super) fn all(arguments: &[Argument], source: &Value) -> Value {
        let found = arguments.iter().filter_map(|argument| {
            let at = |pointer| source.pointer(pointer).filter(|value| !value.is_null()).cloned();
            Some(match argument {
                Argument::One(name, pointer) => ((*name).to_owned(), at(pointer)?),
                Argument::List(name, pointer) => ((*name).to_owned(), Value::Array(vec![at(pointer)?])),
            })
        });
        Value::Object(found.collect())
    }
}
