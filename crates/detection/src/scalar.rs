//! One value of an event, as the operators of patterns and the checks of Sigma rules look at it.

use serde_json::Value;

/// A value of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'v> {
    /// A text.
    Text(&'v str),
    /// Anything but a text.
    Value(&'v Value),
    /// The JSON text of an object or of an empty array that nobody has read yet.
    Json(&'v str),
}

impl Scalar<'_> {
    pub fn is_null(self) -> bool {
        matches!(self, Scalar::Value(Value::Null))
    }
}

impl<'v> From<&'v Value> for Scalar<'v> {
    fn from(value: &'v Value) -> Scalar<'v> {
        match value {
            Value::String(text) => Scalar::Text(text),
            value => Scalar::Value(value),
        }
    }
}
