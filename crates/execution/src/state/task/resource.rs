//! What a Task's Resource is, and the events that its kind has.

use asl::integration::Pattern;

use crate::{
    EventDetails, EventType, Json,
    history::{
        DataDetails, ErrorDetails, FunctionScheduled, OutputDetails, TaskCredentials, TaskFailed, TaskOutput,
        TaskScheduled, TaskStarted,
    },
};

/// What a Resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Integration {
    /// `arn:aws:lambda:…`: a function, called directly.
    Lambda(String),
    /// `arn:aws:states:region:account:activity:name`.
    Activity(String),
    /// `arn:aws:states:::service:action`.
    Service {
        /// `lambda`, `sqs`, `aws-sdk:s3` …
        resource_type: String,
        /// `invoke`, `sendMessage.waitForTaskToken`, `getObject` …
        resource: String,
    },
}

/// What a task is scheduled with.
#[derive(Clone, Debug)]
pub(super) struct Scheduling {
    pub(super) region: String,
    pub(super) arguments: Json,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) heartbeat_seconds: Option<u64>,
    pub(super) credentials: Option<TaskCredentials>,
}

impl Integration {
    pub(crate) fn of(resource: &str) -> Integration {
        let mut parts = resource.splitn(6, ':').skip(2);
        let (service, rest) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or(resource));
        // `aws-sdk:s3:getObject` ends its type at the second colon, `states:startExecution.sync:2` at the first.
        let end_of_type = match rest.strip_prefix("aws-sdk:").and_then(|rest| rest.find(':')) {
            Some(colon) => Some("aws-sdk:".len() + colon),
            None => rest.find(':'),
        };
        let (resource_type, action) = match end_of_type.and_then(|colon| rest.split_at_checked(colon)) {
            Some((resource_type, action)) => (resource_type, action.trim_start_matches(':')),
            None => (service, rest),
        };
        match (service, resource_type) {
            ("lambda", _) => Integration::Lambda(resource.to_owned()),
            ("states", "activity") => Integration::Activity(resource.to_owned()),
            _ => Integration::Service { resource_type: resource_type.to_owned(), resource: action.to_owned() },
        }
    }

    pub(crate) fn is_activity(&self) -> bool {
        matches!(self, Integration::Activity(_))
    }

    /// Whether somebody may answer it by a token.
    pub(super) fn has_token(&self) -> bool {
        match self {
            Integration::Activity(_) => true,
            Integration::Lambda(_) => false,
            Integration::Service { resource, .. } => resource.ends_with(".waitForTaskToken"),
        }
    }

    /// Whether it begins a job and waits for its end.
    pub(super) fn is_job(&self) -> bool {
        match self {
            Integration::Activity(_) | Integration::Lambda(_) => false,
            Integration::Service { resource, .. } => {
                Pattern::split(resource).is_some_and(|(_, pattern)| pattern.is_job())
            }
        }
    }

    /// What AWS calls it when its result is too long.
    pub(super) fn limited_as(&self) -> &str {
        match self {
            Integration::Lambda(arn) | Integration::Activity(arn) => arn,
            Integration::Service { resource_type, .. } => resource_type,
        }
    }

    pub(super) fn scheduled(&self, scheduling: Scheduling) -> (EventType, EventDetails) {
        let function = |resource: &str, scheduling: Scheduling| FunctionScheduled {
            resource: resource.to_owned(),
            input: scheduling.arguments,
            input_details: DataDetails::default(),
            timeout_in_seconds: scheduling.timeout_seconds,
            heartbeat_in_seconds: scheduling.heartbeat_seconds,
            task_credentials: scheduling.credentials,
        };
        match self {
            Integration::Lambda(arn) => {
                (EventType::LambdaFunctionScheduled, EventDetails::LambdaFunctionScheduled(function(arn, scheduling)))
            }
            Integration::Activity(arn) => {
                (EventType::ActivityScheduled, EventDetails::ActivityScheduled(function(arn, scheduling)))
            }
            Integration::Service { resource_type, resource } => {
                let details = TaskScheduled {
                    resource_type: resource_type.clone(),
                    resource: resource.clone(),
                    region: scheduling.region,
                    parameters: scheduling.arguments,
                    timeout_in_seconds: scheduling.timeout_seconds,
                    heartbeat_in_seconds: scheduling.heartbeat_seconds,
                    task_credentials: scheduling.credentials,
                };
                (EventType::TaskScheduled, EventDetails::TaskScheduled(details))
            }
        }
    }

    /// The event of its start, which comes with the one of its scheduling; an activity is started by a worker.
    pub(super) fn started(&self) -> Option<(EventType, Option<EventDetails>)> {
        match self {
            Integration::Lambda(_) => Some((EventType::LambdaFunctionStarted, None)),
            Integration::Activity(_) => None,
            Integration::Service { resource_type, resource } => {
                let details = TaskStarted { resource_type: resource_type.clone(), resource: resource.clone() };
                Some((EventType::TaskStarted, Some(EventDetails::TaskStarted(details))))
            }
        }
    }

    /// The event of its being handed over, which only calls of services have.
    pub(super) fn submitted(&self, output: Json) -> Option<(EventType, EventDetails)> {
        let Integration::Service { resource_type, resource } = self else { return None };
        let details = EventDetails::TaskSubmitted(task_output(resource_type, resource, output));
        Some((EventType::TaskSubmitted, details))
    }

    pub(super) fn succeeded(&self, output: Json) -> (EventType, EventDetails) {
        let function = |output| OutputDetails { output, output_details: DataDetails::default() };
        match self {
            Integration::Lambda(_) => {
                (EventType::LambdaFunctionSucceeded, EventDetails::LambdaFunctionSucceeded(function(output)))
            }
            Integration::Activity(_) => {
                (EventType::ActivitySucceeded, EventDetails::ActivitySucceeded(function(output)))
            }
            Integration::Service { resource_type, resource } => {
                let details = task_output(resource_type, resource, output);
                (EventType::TaskSucceeded, EventDetails::TaskSucceeded(details))
            }
        }
    }

    pub(super) fn failed(&self, error: ErrorDetails) -> (EventType, EventDetails) {
        match self {
            Integration::Lambda(_) => (EventType::LambdaFunctionFailed, EventDetails::LambdaFunctionFailed(error)),
            Integration::Activity(_) => (EventType::ActivityFailed, EventDetails::ActivityFailed(error)),
            Integration::Service { resource_type, resource } => {
                (EventType::TaskFailed, EventDetails::TaskFailed(task_failed(resource_type, resource, error)))
            }
        }
    }

    /// The event of a job that was not begun.
    pub(super) fn submit_failed(&self, error: ErrorDetails) -> (EventType, EventDetails) {
        match self {
            Integration::Service { resource_type, resource } if self.is_job() => {
                let details = task_failed(resource_type, resource, error);
                (EventType::TaskSubmitFailed, EventDetails::TaskSubmitFailed(details))
            }
            _ => self.failed(error),
        }
    }

    pub(super) fn timed_out(&self, error: ErrorDetails) -> (EventType, EventDetails) {
        match self {
            Integration::Lambda(_) => (EventType::LambdaFunctionTimedOut, EventDetails::LambdaFunctionTimedOut(error)),
            Integration::Activity(_) => (EventType::ActivityTimedOut, EventDetails::ActivityTimedOut(error)),
            Integration::Service { resource_type, resource } => {
                (EventType::TaskTimedOut, EventDetails::TaskTimedOut(task_failed(resource_type, resource, error)))
            }
        }
    }
}

fn task_output(resource_type: &str, resource: &str, output: Json) -> TaskOutput {
    TaskOutput {
        resource_type: resource_type.to_owned(),
        resource: resource.to_owned(),
        output,
        output_details: DataDetails::default(),
    }
}

fn task_failed(resource_type: &str, resource: &str, error: ErrorDetails) -> TaskFailed {
    let ErrorDetails { error, cause } = error;
    TaskFailed { resource_type: resource_type.to_owned(), resource: resource.to_owned(), error, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_told_apart() {
        let check =
            |resource: &str, expected: Integration| assert_eq!(Integration::of(resource), expected, "{resource}");
        let service = |resource_type: &str, resource: &str| Integration::Service {
            resource_type: resource_type.to_owned(),
            resource: resource.to_owned(),
        };
        check("arn:aws:states:::lambda:invoke", service("lambda", "invoke"));
        check("arn:aws:states:::aws-sdk:s3:getObject", service("aws-sdk:s3", "getObject"));
        check("arn:aws:states:::states:startExecution.sync:2", service("states", "startExecution.sync:2"));
        check("arn:aws:states:::sqs:sendMessage.waitForTaskToken", service("sqs", "sendMessage.waitForTaskToken"));
        let function = "arn:aws:lambda:us-east-1:000000000000:function:audit:1";
        check(function, Integration::Lambda(function.to_owned()));
        let activity = "arn:aws:states:us-east-1:000000000000:activity:approve";
        check(activity, Integration::Activity(activity.to_owned()));
        check("nonsense", service("", "nonsense"));
    }
}
