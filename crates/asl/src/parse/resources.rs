//! What a Task's Resource may be.

/// What a Task's Resource may be is known outside this crate: `validate` asks this of each.
pub trait Resources {
    /// Whether a Resource can be called; else what is wrong with it (its text names the thing and the way out).
    fn check(&self, resource: &str) -> Result<(), UnknownResource>;

    /// Whether they are those of an Express state machine, which has some things less.
    fn is_express(&self) -> bool {
        false
    }
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

/// What an Express state machine may call: what others may, but for activities and for waiting.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>.
#[derive(Clone, Copy)]
pub struct ExpressResources<'a>(pub &'a dyn Resources);

impl Resources for ExpressResources<'_> {
    fn is_express(&self) -> bool {
        true
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
}
