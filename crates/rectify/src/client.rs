//! Speaks to a running `serve`.

use std::{path::PathBuf, time::Duration};

use aws::http::HttpClient;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::{commands::Problem, start};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const ANSWER_LIMIT_BYTES: usize = 256 << 20;

/// Which `serve` to speak to.
#[derive(clap::Args)]
pub struct Server {
    /// The running `serve`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7700")]
    server: String,
    /// Its data folder, which holds the key
    #[arg(long, value_name = "DIR", default_value = "rectify-data")]
    data: PathBuf,
}

impl Server {
    /// Asks it, and reads its JSON answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Problem> {
        let key = server::Access::read_api_key(&self.data).map_err(|error| {
            Problem(format!(
                "{error}\nthe key that `serve` made is needed to speak to it: name its data folder with --data"
            ))
        })?;
        let url = format!("{}{path}", self.server.trim_end_matches('/'));
        let request = http::Request::builder()
            .method(method)
            .uri(&url)
            .header("x-api-key", key.expose_secret())
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default().into())
            .map_err(|error| Problem(format!("{url} is no URL to speak to: {error}")))?;
        let response = start::runtime()
            .map_err(Problem::new)?
            .block_on(async { HttpClient::new().send(request, TIMEOUT, ANSWER_LIMIT_BYTES).await })
            .map_err(|error| {
                Problem(format!(
                    "no `rectify serve` answers at {}: {error}\nstart it, or name it with --server",
                    self.server
                ))
            })?;
        let answer: Value = serde_json::from_slice(response.body()).map_err(|_| {
            Problem(format!("{url} answered {} and no JSON: is it `rectify serve`?", response.status()))
        })?;
        if response.status().is_success() {
            return Ok(answer);
        }
        Err(Problem(
            answer
                .get("message")
                .and_then(Value::as_str)
                .map_or_else(|| format!("{url} answered {}", response.status()), str::to_owned),
        ))
    }
}
