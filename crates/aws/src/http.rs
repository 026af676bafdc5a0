//! The one HTTP client, also for what is no AWS API: webhooks, and the command line's own server.

use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SendError {
    /// What happened, where.
    pub message: String,
    /// Whether the request can't have been received (no connection): safe to send again.
    pub never_sent: bool,
}

/// A plain HTTP client with TLS; no redirects are followed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    // filled in by this crate
}

impl HttpClient {
    /// A client of its own connection pool.
    pub fn new() -> HttpClient {
        todo!()
    }

    /// Sends a request and reads the whole answer, at most `limit_bytes` of it.
    pub async fn send(
        &self,
        _request: http::Request<Bytes>,
        _timeout: Duration,
        _limit_bytes: usize,
    ) -> Result<http::Response<Bytes>, SendError> {
        todo!()
    }
}
