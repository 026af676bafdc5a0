//! What comes of a map run: the result of its Map, and the files that `ResultWriter` exports.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

use jiff::Timestamp;
use query::java;
use serde_json::{Map, Value, json};

use super::{Destination, MapRunSpecification, OutputType, Transformation};
use crate::{Ended, Status};

/// A child execution that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its input's text.
    pub input: String,
    /// How often it was redriven.
    pub redrive_count: u64,
    /// How it ended.
    pub ended: Ended,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub stopped_at: Timestamp,
}

/// Which file a child is exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// FAILED, TIMED_OUT and ABORTED.
    Failed,
    /// Those that never began.
    Pending,
    /// SUCCEEDED.
    Succeeded,
}

impl Group {
    /// As files and the manifest name it.
    pub fn name(self) -> &'static str {
        match self {
            Group::Failed => "FAILED",
            Group::Pending => "PENDING",
            Group::Succeeded => "SUCCEEDED",
        }
    }
}

/// The values that a child adds to the results: one, but where its array is dissolved. What failed comes with all that is known
/// of it, whatever the transformation.
pub fn values(state_machine_arn: &str, child: &Child, transformation: Transformation) -> Vec<Value> {
    let output = || child.ended.output.clone().unwrap_or_default();
    match (child.ended.status, transformation) {
        (Status::Succeeded, Transformation::Compact) => vec![output()],
        (Status::Succeeded, Transformation::Flatten) => match output() {
            Value::Array(items) => items,
            other => vec![other],
        },
        _ => vec![whole(state_machine_arn, child)],
    }
}

/// A child with all that is known of it, as DescribeExecution has it.
fn whole(state_machine_arn: &str, child: &Child) -> Value {
    let included = json!({"Included": true});
    let status = serde_json::to_value(child.ended.status).unwrap_or_default();
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| _ = fields.insert(name.to_owned(), value);
    if let Some(cause) = &child.ended.cause {
        set("Cause", json!(cause));
    }
    if let Some(error) = &child.ended.error {
        set("Error", json!(error));
    }
    set("ExecutionArn", json!(child.arn));
    set("Input", json!(child.input));
    set("InputDetails", included.clone());
    set("Name", json!(child.name));
    if let Some(output) = &child.ended.output {
        set("Output", json!(java::json(output)));
        set("OutputDetails", included);
    }
    set("RedriveCount", json!(child.redrive_count));
    match child.ended.status {
        Status::Succeeded => {
            set("RedriveStatus", json!("NOT_REDRIVABLE"));
            set("RedriveStatusReason", json!("Execution is SUCCEEDED and cannot be redriven"));
        }
        _ => set("RedriveStatus", json!("REDRIVABLE_BY_MAP_RUN")),
    }
    set("StartDate", json!(format!("{:.3}", child.started_at)));
    set("StateMachineArn", json!(state_machine_arn));
    set("Status", status);
    set("StopDate", json!(format!("{:.3}", child.stopped_at)));
    Value::Object(fields)
}

/// A child that never began.
pub fn pending(input: &str) -> Value {
    json!({"Input": input, "InputDetails": {"Included": true}, "Status": "PENDING"})
}

/// A file of results.
#[derive(Clone, Debug, Default)]
pub struct ResultFile {
    body: String,
}

impl ResultFile {
    /// Adds a value.
    pub fn push(&mut self, value: &Value, output_type: OutputType) {
        match output_type {
            OutputType::Json => self.body.push(if self.body.is_empty() { '[' } else { ',' }),
            OutputType::JsonLines => {}
        }
        self.body.push_str(&java::json(value));
        if output_type == OutputType::JsonLines {
            self.body.push('\n');
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The whole.
    pub fn finish(mut self, output_type: OutputType) -> String {
        if output_type == OutputType::Json {
            self.body.push_str(if self.body.is_empty() { "[]" } else { "]" });
        }
        self.body
    }
}

impl MapRunSpecification {
    /// The key of an exported file: `PREFIX/NAME/FILE`.
    fn key(&self, destination: &Destination, file: &str) -> String {
        let prefix = match destination.prefix.as_str() {
            "" => String::new(),
            prefix if prefix.ends_with('/') => prefix.to_owned(),
            prefix => format!("{prefix}/"),
        };
        format!("{prefix}{}/{file}", self.name())
    }

    /// The key of the n-th file of a group.
    pub fn file_key(&self, destination: &Destination, group: Group, number: usize, output_type: OutputType) -> String {
        let extension = match output_type {
            OutputType::Json => "json",
            OutputType::JsonLines => "jsonl",
        };
        self.key(destination, &format!("{}_{number}.{extension}", group.name()))
    }

    /// The manifest of exported files, each a group, a key and a size: its key and body.
    pub fn manifest(&self, destination: &Destination, files: &[(Group, String, usize)]) -> (String, String) {
        let of = |group: Group| -> Vec<Value> {
            let files = files.iter().filter(|(its, ..)| *its == group);
            files.map(|(_, key, size)| json!({"Key": key, "Size": size})).collect()
        };
        let manifest = json!({
            "DestinationBucket": destination.bucket,
            "MapRunArn": self.arn,
            "ResultFiles": {"FAILED": of(Group::Failed), "PENDING": of(Group::Pending), "SUCCEEDED": of(Group::Succeeded)},
        });
        (self.key(destination, "manifest.json"), manifest.to_string())
    }

    /// The result of a Map whose results were exported.
    pub fn exported(&self, destination: &Destination) -> Value {
        json!({
            "MapRunArn": self.arn,
            "ResultWriterDetails": {"Bucket": destination.bucket, "Key": self.key(destination, "manifest.json")},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(status: Status, output: Option<Value>) -> Child {
        let (error, cause) = match status {
            Status::Succeeded => (None, None),
            _ => (Some("Boom".to_owned()), Some("why".to_owned())),
        };
        Child {
            arn: "arn:aws:states:eu-west-1:1:execution:m/l:n".to_owned(),
            name: "n".to_owned(),
            input: "1".to_owned(),
            redrive_count: 0,
            ended: Ended { status, output, error, cause },
            started_at: Timestamp::UNIX_EPOCH,
            stopped_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn results_are_transformed() {
        let check = |child: &Child, transformation, expected: Value| {
            assert_eq!(Value::Array(values("m/l", child, transformation)), expected);
        };
        let one = child(Status::Succeeded, Some(json!([1, 2])));
        check(&one, Transformation::Compact, json!([[1, 2]]));
        check(&one, Transformation::Flatten, json!([1, 2]));
        let whole = json!([{
            "ExecutionArn": "arn:aws:states:eu-west-1:1:execution:m/l:n", "Input": "1", "InputDetails": {"Included": true},
            "Name": "n", "Output": "[1,2]", "OutputDetails": {"Included": true}, "RedriveCount": 0,
            "RedriveStatus": "NOT_REDRIVABLE", "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
            "StartDate": "1970-01-01T00:00:00.000Z", "StateMachineArn": "m/l", "Status": "SUCCEEDED",
            "StopDate": "1970-01-01T00:00:00.000Z",
        }]);
        check(&one, Transformation::None, whole);
        let failed = values("m/l", &child(Status::TimedOut, None), Transformation::Flatten);
        assert_eq!((&failed[0]["Status"], &failed[0]["Error"]), (&json!("TIMED_OUT"), &json!("Boom")));
    }

    #[test]
    fn files_and_their_manifest() {
        let run =
            MapRunSpecification { arn: "arn:aws:states:eu-west-1:1:mapRun:m/l:u".to_owned(), ..Default::default() };
        let at = |prefix: &str| Destination { bucket: "b".to_owned(), prefix: prefix.to_owned() };
        let key = |prefix: &str, output_type| run.file_key(&at(prefix), Group::Failed, 1, output_type);
        assert_eq!(key("", OutputType::Json), "u/FAILED_1.json");
        assert_eq!(key("p", OutputType::Json), "p/u/FAILED_1.json");
        assert_eq!(key("p/", OutputType::JsonLines), "p/u/FAILED_1.jsonl");
        let (key, body) = run.manifest(&at("p"), &[(Group::Succeeded, "k".to_owned(), 3)]);
        assert_eq!(key, "p/u/manifest.json");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap()["ResultFiles"]["SUCCEEDED"],
            json!([{"Key": "k", "Size": 3}])
        );
        for (output_type, none, two) in [(OutputType::Json, "[]", "[1,2]"), (OutputType::JsonLines, "", "1\n2\n")] {
            assert_eq!(ResultFile::default().finish(output_type), none);
            let mut file = ResultFile::default();
            file.push(&json!(1), output_type);
            file.push(&json!(2), output_type);
            assert_eq!(file.finish(output_type), two);
        }
    }
}
