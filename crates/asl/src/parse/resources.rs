//! What a Task's Resource may be.

use query::Language;
use serde_json::Value;

/// What a Task's Resource may be is known outside this crate: `validate` asks this of each.
pub trait Resources {
    /// Whether a Resource can be called; else what is wrong with it (its text names the thing and the way out).
    fn check(&self, resource: &str) -> Result<(), UnknownResource>;

    /// The fields of `parameters`, a Task's `Parameters` or `Arguments` in this language, that AWS refuses before the Task ever runs.
    fn refused_fields(&self, _resource: &str, _parameters: &Value, _language: Language) -> Vec<RefusedField> {
        Vec::new()
    }

    /// Whether they are those of an Express state machine, which has some things less.
    fn is_express(&self) -> bool {
        false
    }

    /// Whether what AWS has is taken, though this program does not have it: it fails when it is come to.
    fn is_as_aws(&self) -> bool {
        true
    }
}

/// A field of a Task's parameters that its Resource does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedField {
    /// Its JSON pointer within the parameters.
    pub pointer: String,
    /// Its name.
    pub name: String,
    /// What to do, for instance the nearest known name.
    pub help: Option<String>,
}

/// The type of a state machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MachineType {
    /// `STANDARD`.
    #[default]
    Standard,
    /// `EXPRESS`.
    Express,
}

/// A Resource that can't be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownResource {
    /// What is wrong.
    pub message: String,
    /// What to do, for instance the nearest known name.
    pub help: Option<String>,
}

/// Every Resource will do: for those who have nothing to ask.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyResource;

impl Resources for AnyResource {
    fn check(&self, _resource: &str) -> Result<(), UnknownResource> {
        Ok(())
    }
}

/// Every ARN will do, and nothing that is none: what AWS says of a Resource before it looks what is behind it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyArn;

/// What AWS says of a Resource that is no ARN.
const NO_ARN: &str = "Value is not a valid resource ARN";

impl Resources for AnyArn {
    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        let refused = |help: &str| Err(UnknownResource { message: NO_ARN.to_owned(), help: Some(help.to_owned()) });
        let parts: Vec<&str> = resource.splitn(8, ':').collect();
        match parts.as_slice() {
            ["arn", partition, service, _, _, _, ..] if partition.is_empty() || service.is_empty() => {
                refused("an ARN is `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`")
            }
            ["arn", _, "lambda", _, _, "function", name, qualifier @ ..] => {
                let named = |text: &&str| !text.is_empty() && text.chars().all(is_name);
                let qualified = match qualifier {
                    [] => true,
                    [qualifier] => *qualifier == "$LATEST" || named(qualifier),
                    _ => false,
                };
                if named(name) && qualified {
                    return Ok(());
                }
                refused(
                    "a Lambda function is `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, with `:VERSION` or `:ALIAS`",
                )
            }
            ["arn", _, _, _, _, resource, ..] if !resource.is_empty() => Ok(()),
            _ if resource.contains("${") => refused("it is filled in by a template: check what comes out of that"),
            _ => refused("it is the ARN of a Lambda function, an activity or an integration (`arn:aws:states:::…`)"),
        }
    }
}

/// A letter of a Lambda function's name, version or alias.
fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// What an Express state machine may call: what others may, but for activities and for waiting.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>.
#[derive(Clone, Copy)]
pub struct ExpressResources<'a>(pub &'a dyn Resources);

impl Resources for ExpressResources<'_> {
    fn is_express(&self) -> bool {
        true
    }

    fn is_as_aws(&self) -> bool {
        self.0.is_as_aws()
    }

    fn check(&self, resource: &str) -> Result<(), UnknownResource> {
        let refused = |message: String| {
            let help = Some("create a Standard state machine, or call it without waiting".to_owned());
            Err(UnknownResource { message, help })
        };
        if resource.starts_with("arn:") && resource.contains(":activity:") {
            return refused("Express state machine does not support Activity ARN".to_owned());
        }
        let waiting = [".waitForTaskToken", ".sync:2", ".sync"].into_iter().find(|end| resource.ends_with(end));
        match waiting.filter(|_| resource.contains(":states:::")) {
            // AWS's message ends in a blank.
            Some(end) => refused(format!("Express state machine does not support '{end}' service integration ")),
            None => self.0.check(resource),
        }
    }

    fn refused_fields(&self, resource: &str, parameters: &Value, language: Language) -> Vec<RefusedField> {
        self.0.refused_fields(resource, parameters, language)
    }
}
