//! The optimized integrations of Step Functions, as data: which `arn:aws:states:::SERVICE:ACTION` there are, with which patterns and
//! which parameters. What a row does is told by the crate that performs tasks.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html>

use std::sync::LazyLock;

/// The table: a row a line.
const ROWS: &str = include_str!("integration/rows.txt");

static INTEGRATIONS: LazyLock<Vec<Integration>> = LazyLock::new(|| ROWS.lines().filter_map(row).collect());

/// How Step Functions goes on once it has called a service.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// With the service's answer.
    RequestResponse,
    /// `.sync`: once the job that was begun has ended.
    Sync,
    /// `.sync:2`: the same, the job's output being JSON where `.sync` has text.
    Sync2,
    /// `.waitForTaskToken`: once somebody has answered by the task token.
    WaitForTaskToken,
}

impl Pattern {
    /// What follows the action in a Resource.
    pub fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        }
    }

    /// Whether a job is waited for.
    pub fn is_job(self) -> bool {
        matches!(self, Pattern::Sync | Pattern::Sync2)
    }

    /// Splits `action.sync:2` into the action and its pattern; `None` where it ends in something else.
    pub fn split(call: &str) -> Option<(&str, Pattern)> {
        let Some(dot) = call.find('.') else { return Some((call, Pattern::RequestResponse)) };
        let (action, suffix) = call.split_at_checked(dot)?;
        let patterns = [Pattern::Sync, Pattern::Sync2, Pattern::WaitForTaskToken];
        patterns.into_iter().find(|pattern| pattern.suffix() == suffix).map(|pattern| (action, pattern))
    }
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    /// `sqs`, as the Resource has it.
    pub service: &'static str,
    /// `sendMessage`.
    pub action: &'static str,
    /// The patterns that there are.
    pub patterns: Vec<Pattern>,
    /// The names of its parameters.
    pub parameters: Vec<&'static str>,
    /// Those of them that must be there.
    pub required: Vec<&'static str>,
}

/// What is wrong with a parameter. `Display` is AWS's text, which quotes what is not supported in another way than the rest.
///
/// Source: <https://github.com/aws/aws-cdk/issues/17452>, <https://github.com/aws/aws-cdk/issues/29968>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterProblem {
    /// There is no such parameter.
    Unsupported(String),
    /// It has to be there.
    Missing(String),
    /// It is of another type.
    Invalid(String),
}

impl std::fmt::Display for ParameterProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParameterProblem::Unsupported(name) => {
                write!(formatter, "The field \"{name}\" is not supported by Step Functions")
            }
            ParameterProblem::Missing(name) => write!(formatter, "The field '{name}' is required but was missing"),
            ParameterProblem::Invalid(name) => {
                write!(formatter, "The value of the field '{name}' has an invalid format")
            }
        }
    }
}

impl Integration {
    /// Whether it can be called so.
    pub fn has(&self, pattern: Pattern) -> bool {
        self.patterns.contains(&pattern)
    }

    /// What is wrong with parameters of these names: those that are unknown in their order, then those that are missing. A name in a
    /// payload template may end in `.$`.
    pub fn problems<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<ParameterProblem> {
        let names: Vec<&str> = names.map(|name| name.strip_suffix(".$").unwrap_or(name)).collect();
        let unknown = names.iter().filter(|name| !self.parameters.contains(name));
        let missing = self.required.iter().filter(|name| !names.contains(name));
        unknown
            .map(|name| ParameterProblem::Unsupported((*name).to_owned()))
            .chain(missing.map(|name| ParameterProblem::Missing((*name).to_owned())))
            .collect()
    }
}

/// The row of a service's action.
pub fn find(service: &str, action: &str) -> Option<&'static Integration> {
    INTEGRATIONS.iter().find(|row| row.service == service && row.action == action)
}

/// The row and the pattern of a Resource, `arn:aws:states:::SERVICE:ACTION[.PATTERN]`; `None` where there is no such row, or not with
/// that pattern.
pub fn of_resource(resource: &str) -> Option<(&'static Integration, Pattern)> {
    let (service, call) = service_and_call(resource)?;
    let (action, pattern) = Pattern::split(call)?;
    find(service, action).filter(|row| row.has(pattern)).map(|row| (row, pattern))
}

/// `SERVICE` and `ACTION[.PATTERN]` of `arn:PARTITION:states:::SERVICE:ACTION[.PATTERN]`, which may name a Region and an account.
pub fn service_and_call(resource: &str) -> Option<(&str, &str)> {
    match resource.splitn(7, ':').collect::<Vec<_>>().as_slice() {
        ["arn", partition, "states", _, _, service, call] if !partition.is_empty() && *service != "activity" => {
            Some((service, call))
        }
        _ => None,
    }
}

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Integration> {
    INTEGRATIONS.iter()
}

fn row(line: &'static str) -> Option<Integration> {
    let mut columns = line.split('|').map(str::trim);
    let (service, action) = columns.next()?.split_once(':').filter(|_| !line.starts_with('#'))?;
    let patterns = columns.next()?.split(' ').filter_map(|name| match name {
        "response" => Some(Pattern::RequestResponse),
        "sync" => Some(Pattern::Sync),
        "sync:2" => Some(Pattern::Sync2),
        "token" => Some(Pattern::WaitForTaskToken),
        _ => None,
    });
    let patterns = patterns.collect();
    let names: Vec<&str> = columns.next()?.split(' ').collect();
    let required = names.iter().filter_map(|name| name.strip_suffix('*')).collect();
    let parameters = names.iter().map(|name| name.trim_end_matches('*')).collect();
    Some(Integration { service, action, patterns, parameters, required })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_row_of_its_own() {
        let lines = ROWS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(all().count(), lines);
        let names: HashSet<_> = all().map(|row| (row.service, row.action)).collect();
        assert_eq!(names.len(), lines);
        for row in all() {
            let words =
                ROWS.lines().find(|line| line.starts_with(&format!("{}:{} ", row.service, row.action))).unwrap();
            let words = words.split('|').nth(1).unwrap().split_whitespace().count();
            assert_eq!(row.patterns.len(), words, "{row:?}");
            assert!(row.has(Pattern::RequestResponse), "{row:?}");
            assert!(!row.parameters.is_empty() && row.parameters.iter().all(|name| !name.is_empty()), "{row:?}");
            assert!(row.required.iter().all(|name| row.parameters.contains(name)), "{row:?}");
        }
    }

    #[test]
    fn resources_are_found_with_the_patterns_they_have() {
        let check = |resource: &str, expected: Option<(&str, &str, Pattern)>| {
            let found = of_resource(resource).map(|(row, pattern)| (row.service, row.action, pattern));
            assert_eq!(found, expected, "{resource}");
        };
        let token = Pattern::WaitForTaskToken;
        check("arn:aws:states:::sqs:sendMessage", Some(("sqs", "sendMessage", Pattern::RequestResponse)));
        check("arn:aws-cn:states:::sqs:sendMessage.waitForTaskToken", Some(("sqs", "sendMessage", token)));
        check("arn:aws:states:::states:startExecution.sync", Some(("states", "startExecution", Pattern::Sync)));
        check("arn:aws:states:::states:startExecution.sync:2", Some(("states", "startExecution", Pattern::Sync2)));
        check("arn:aws:states:::ecs:runTask.sync", Some(("ecs", "runTask", Pattern::Sync)));
        check(
            "arn:aws:states:::emr-serverless:startJobRun",
            Some(("emr-serverless", "startJobRun", Pattern::RequestResponse)),
        );
        check(
            "arn:aws:states:us-east-1:123456789012:sqs:sendMessage.waitForTaskToken",
            Some(("sqs", "sendMessage", token)),
        );
        check("arn:aws:states:::sqs:sendMessage.sync", None);
        check("arn:aws:states:::ecs:runTask.sync:2", None);
        check("arn:aws:states:::codebuild:startBuild.waitForTaskToken", None);
        check("arn:aws:states:::dynamodb:query", None);
        check("arn:aws:states:::sqs:SendMessage", None);
        check("arn:aws:states:::aws-sdk:sqs:sendMessage", None);
        check("arn:aws:states:us-east-1:123456789012:activity:a", None);
        check("arn:aws:lambda:us-east-1:123456789012:function:f", None);
    }

    #[test]
    fn parameters_have_the_names_of_the_row() {
        let check = |names: &[&str], expected: &[&str]| {
            let problems = find("sqs", "sendMessage").unwrap().problems(names.iter().copied());
            assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{names:?}");
        };
        check(&["QueueUrl.$", "MessageBody", "DelaySeconds"], &[]);
        check(
            &["QueueURL", "MessageBody"],
            &[
                "The field \"QueueURL\" is not supported by Step Functions",
                "The field 'QueueUrl' is required but was missing",
            ],
        );
    }
}
