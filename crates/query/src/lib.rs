//! The query languages of Step Functions: JSONPath (Reference Paths and the Jayway dialect), intrinsic functions and JSONata.
//!
//! Everything here is pure: an expression, JSON and a [`Scope`] in, JSON or an [`Error`] out. What a query may know of the
//! world (the time, randomness) comes in as a [`Moment`].

mod digest;
pub mod error;
pub mod intrinsic;
pub mod java;
pub mod jsonata;
pub mod jsonpath;
mod limits;
pub mod moment;
mod random;
pub mod scope;
pub mod template;

pub use error::{Error, ErrorKind, SyntaxError};
pub use moment::Moment;
pub use scope::Scope;
pub use template::{Language, Template, TemplateExpression};
