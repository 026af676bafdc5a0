//! Fetches what SNS has for everybody: its certificates, and the answer that confirms a subscription.

use std::time::Duration;

use aws::{Aws, http::HttpClient};
use axum::http::{Request, StatusCode, Uri};
use bytes::Bytes;

/// The longest certificate, and the longest answer to a confirmation, in bytes.
const ANSWER_LIMIT_BYTES: usize = 64 << 10;
/// How long SNS may take to answer: it waits for 15 s for us.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks SNS, by HTTPS at the host of the URL.
#[derive(Clone, Debug)]
pub struct SnsClient {
    http: HttpClient,
    /// `AWS_ENDPOINT_URL_SNS`: where SNS is, for what is SNS's by its URL.
    endpoint: Option<String>,
}

impl SnsClient {
    /// One that asks where `AWS_ENDPOINT_URL_SNS` says, where it does. Which URLs are SNS's does not depend on that.
    pub fn new(aws: &Aws) -> SnsClient {
        SnsClient { http: aws.http().clone(), endpoint: aws.own_endpoint("sns").map(str::to_owned) }
    }

    /// The answer's body, where its status is 200.
    pub(super) async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let uri = self.place(url)?;
        let request = Request::get(uri).body(Bytes::new()).map_err(|error| error.to_string())?;
        let answer = self.http.send(request, TIMEOUT, ANSWER_LIMIT_BYTES).await.map_err(|error| error.to_string())?;
        if answer.status() == StatusCode::OK {
            return Ok(answer.into_body().to_vec());
        }
        Err(format!("SNS answered {}", answer.status()))
    }

    fn place(&self, url: &str) -> Result<Uri, String> {
        let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let Some(endpoint) = &self.endpoint else { return Ok(uri) };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let place = format!("{}{path}", endpoint.trim_end_matches('/'));
        place.parse().map_err(|error| format!("AWS_ENDPOINT_URL_SNS is no URL: {error}"))
    }
}
