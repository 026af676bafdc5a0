//! Calls any operation of any AWS service from its model. Knows nothing of Rectify.

pub mod call;
pub mod http;

pub use call::{Aws, Call, CallError};
