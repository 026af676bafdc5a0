//! Every way in: the Step Functions and EventBridge APIs, `POST /events`, SQS queues, and what the command line asks of a
//! running `serve`.

pub mod access;
pub mod app;
pub mod aws_json;
mod backlog;
pub mod event_bridge;
pub mod events;
pub mod findings;
pub mod intake;
mod machines;
pub mod metrics;
mod objects;
pub mod playbooks;
pub mod queue;
pub mod registry;
mod room;
pub mod router;
pub mod sns;
pub mod step_functions;
pub mod tls;
mod webhooks;

pub use access::Access;
pub use app::App;
pub use intake::Intake;
pub use metrics::Metrics;
pub use playbooks::Playbooks;
pub use registry::Registry;
pub use sns::{SnsClient, Topics};
pub use webhooks::Webhooks;
