//! Calls any operation of any AWS service from its model. Knows nothing of Rectify.

pub mod call;
mod checksum;
mod conformity;
mod counts;
mod credentials;
mod endpoint;
pub mod http;
mod members;
mod model;
mod names;
pub mod options;
mod parameters;
mod protocol;
mod retry;
mod sign;

pub use call::{Aws, Call, CallError, VersionOneAnswer};
pub use conformity::{Nonconformity, Wanted};
pub use counts::AttemptResult;
pub use http::HttpClient;
pub use members::UnknownField;
pub use options::Options;
pub use parameters::{ParameterFault, ParameterProblem};
pub use protocol::{base64, escape};
