//! OAuth's client credentials: the token is fetched when it is first needed and kept as long as it is good.
//!
//! Source: <https://datatracker.ietf.org/doc/html/rfc6749#section-4.4>

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws::http::HttpClient;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use serde_json::Value;

use super::connection::{Authorization, Connection, OAuth, basic, failure};
use super::{Failure, lost};
use crate::executor::http_parameters::{header, with_query};

/// For the token to be fetched.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Of the answer with the token.
const ANSWER_BYTES: usize = 256 * 1024;
/// Tokens kept; beyond it all are forgotten.
const KEPT: usize = 1000;
/// A token is fetched anew this long before it ends.
const EARLY: Duration = Duration::from_secs(60);
/// How long a token is good that does not say.
const UNSAID: Duration = Duration::from_secs(300);

/// Tokens by connection and its version.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<(String, String), (HeaderValue, Instant)>>);

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// The value of the header `Authorization`, and whether it was fetched just now.
    pub(super) async fn of(
        &self,
        connection: &Connection,
        client: &HttpClient,
    ) -> Result<(HeaderValue, bool), Failure> {
        let Authorization::OAuth(oauth) = &connection.authorization else {
            return Err(failure("InternalError", &connection.arn, "its kind of authorization has no token"));
        };
        let key = (connection.arn.clone(), connection.version.clone());
        if let Some((token, end)) = self.kept().get(&key) {
            if *end > Instant::now() {
                return Ok((token.clone(), false));
            }
        }
        let (token, good_for) = fetch(connection, oauth, client).await?;
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear();
        }
        if let Some(end) = Instant::now().checked_add(good_for.saturating_sub(EARLY)) {
            kept.insert(key, (token.clone(), end));
        }
        Ok((token, true))
    }

    pub(super) fn forget(&self, connection: &Connection) {
        self.kept().remove(&(connection.arn.clone(), connection.version.clone()));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (HeaderValue, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    connection: &Connection,
    oauth: &OAuth,
    client: &HttpClient,
) -> Result<(HeaderValue, Duration), Failure> {
    let wrong = |why: &str| failure("InvalidConnectionState", &connection.arn, why);
    let request =
        request(oauth).ok_or_else(|| wrong("its authorization endpoint or one of its parameters can't be sent"))?;
    let answer = client.send(request, TIMEOUT, ANSWER_BYTES).await.map_err(lost)?;
    if !answer.status().is_success() {
        // The body might repeat what was sent.
        return Err(wrong(&format!(
            "its authorization endpoint answered with the status {}",
            answer.status().as_u16()
        )));
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let token = body.get("access_token").and_then(Value::as_str);
    let token = token.ok_or_else(|| wrong("its authorization endpoint answered without an `access_token`"))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| wrong("its authorization endpoint answered with a token that no header takes"))?;
    value.set_sensitive(true);
    let seconds =
        body.get("expires_in").and_then(|seconds| seconds.as_u64().or_else(|| seconds.as_str()?.parse().ok()));
    Ok((value, seconds.map_or(UNSAID, Duration::from_secs)))
}

/// The client proves itself by Basic authentication, as every server must understand.
fn request(oauth: &OAuth) -> Option<Request<Bytes>> {
    let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
    form.retain(|(name, _)| oauth.body.iter().chain(&oauth.query).all(|(own, _)| own != name));
    form.extend(oauth.body.iter().cloned());
    // What has no body takes the parameters in its query.
    let bare = matches!(oauth.method.as_str(), "GET" | "HEAD");
    let mut query = oauth.query.clone();
    if bare {
        query.append(&mut form);
    }
    let body = with_query("", &form);
    let mut request = Request::builder()
        .method(oauth.method.as_str())
        .uri(with_query(&oauth.endpoint, &query))
        .body(Bytes::from(body.trim_start_matches('?').to_owned()))
        .ok()?;
    let headers = request.headers_mut();
    let mut proof = HeaderValue::from_str(&basic(&oauth.client_id, &oauth.client_secret)).ok()?;
    proof.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, proof);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    if !bare {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    for (name, value) in &oauth.headers {
        let (name, value) = header(name, value)?;
        headers.insert(name, value);
    }
    Some(request)
}
