//! The one HTTP client, also for what is no AWS API: webhooks, and the command line's own server.

mod destinations;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_http_client::{Connector, proxy::ProxyConfig, tls};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method};
use thiserror::Error;

pub use destinations::Destinations;
use destinations::{Denied, Resolver};

/// For a connection to be made, its TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept for a host.
const IDLE_CONNECTIONS: usize = 32;
/// How long an idle connection is kept: shorter than AWS's load balancers do.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct SendError {
    /// What happened, where.
    pub message: String,
    /// Whether the request can't have been received (no connection): safe to send again.
    pub never_sent: bool,
    /// Whether the destination is one that this client does not call ([`HttpClient::guarded`]).
    pub denied: bool,
    /// Whether there was an answer, longer than the limit.
    pub too_long: bool,
}

impl SendError {
    fn new(message: String, never_sent: bool) -> SendError {
        SendError { message, never_sent, denied: false, too_long: false }
    }
}

/// A plain HTTP client with TLS; no redirects are followed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    connector: Arc<Connector>,
    /// Where alone requests go; `None` is anywhere.
    destinations: Option<Destinations>,
}

impl Default for HttpClient {
    fn default() -> HttpClient {
        HttpClient::new()
    }
}

impl HttpClient {
    /// A client of its own connection pool, without a proxy.
    pub fn new() -> HttpClient {
        HttpClient::with_proxy(ProxyConfig::disabled())
    }

    /// A client that goes through the proxy of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, where they are set.
    pub fn from_environment() -> HttpClient {
        HttpClient::with_proxy(ProxyConfig::from_env())
    }

    /// A client for addresses that somebody else wrote, through the same proxy. What the proxy resolves it has to judge itself.
    pub fn guarded(destinations: Destinations) -> HttpClient {
        HttpClient::build(ProxyConfig::from_env(), Some(destinations))
    }

    fn with_proxy(proxy: ProxyConfig) -> HttpClient {
        HttpClient::build(proxy, None)
    }

    fn build(proxy: ProxyConfig, destinations: Option<Destinations>) -> HttpClient {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let builder = Connector::builder()
            .connector_settings(settings)
            .proxy_config(proxy)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
        let connector = match destinations {
            Some(destinations) => builder.build_with_resolver(Resolver::new(destinations, proxies())),
            None => builder.build(),
        };
        HttpClient { connector: Arc::new(connector), destinations }
    }

    /// Sends a request and reads the whole answer, at most `limit_bytes` of it, within `timeout`.
    pub async fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
        limit_bytes: usize,
    ) -> Result<http::Response<Bytes>, SendError> {
        let host = request.uri().authority().map_or_else(|| request.uri().to_string(), ToString::to_string);
        match tokio::time::timeout(timeout, self.exchange(request, &host, limit_bytes)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SendError::new(format!("no answer from {host} within {} s", timeout.as_secs_f64()), false)),
        }
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        host: &str,
        limit: usize,
    ) -> Result<http::Response<Bytes>, SendError> {
        if let Some(Err(denied)) = self.destinations.map(|destinations| destinations.check(request.uri())) {
            return Err(SendError { message: denied.to_string(), never_sent: true, denied: true, too_long: false });
        }
        let refused = |error: &dyn std::fmt::Display| {
            SendError::new(format!("the request to {host} can't be made: {error}"), true)
        };
        let request = with_length(request).map(SdkBody::from).try_into().map_err(|error| refused(&error))?;
        let answer = self.connector.call(request).await.map_err(|error| lost(host, &error))?;
        let answer = answer.try_into_http1x().map_err(|error| refused(&error))?;
        let (parts, body) = answer.into_parts();
        Ok(http::Response::from_parts(parts, read(body, host, limit).await?))
    }
}

/// The hosts of the proxies that the environment names.
fn proxies() -> Vec<String> {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let urls = names.iter().filter_map(|name| std::env::var(name).ok()?.parse::<http::Uri>().ok());
    urls.filter_map(|url| url.host().map(str::to_owned)).collect()
}

/// hyper says nothing of an empty body's length, and S3 refuses a PUT without.
fn with_length(mut request: http::Request<Bytes>) -> http::Request<Bytes> {
    if matches!(*request.method(), Method::PUT | Method::POST | Method::PATCH) {
        let length = HeaderValue::from(request.body().len());
        request.headers_mut().entry(CONTENT_LENGTH).or_insert(length);
    }
    request
}

async fn read(mut body: SdkBody, host: &str, limit: usize) -> Result<Bytes, SendError> {
    use http_body::Body;
    let failed = |message: String| SendError::new(message, false);
    let too_long =
        || SendError { too_long: true, ..failed(format!("the answer of {host} is longer than {limit} bytes")) };
    // What its `Content-Length` says, where there is a body.
    if usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) > limit {
        return Err(too_long());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| failed(format!("the answer of {host} broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > limit {
                return Err(too_long());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

fn lost(host: &str, error: &ConnectorError) -> SendError {
    let mut texts = Vec::new();
    let mut source = error.source();
    while let Some(each) = source {
        if let Some(denied) = each.downcast_ref::<Denied>() {
            return SendError { message: denied.to_string(), never_sent: true, denied: true, too_long: false };
        }
        texts.push(each.to_string());
        source = each.source();
    }
    // hyper-util's words for a failure before any request went out; a test holds them to it.
    let never_sent = error.is_user() || texts.iter().any(|text| text.starts_with("client error (Connect)"));
    let reason = texts.last().cloned().unwrap_or_else(|| error.to_string());
    let what = if never_sent { "no connection to" } else { "the connection was lost to" };
    SendError::new(format!("{what} {host}: {reason}"), never_sent)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers every connection with the same bytes.
    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/hook")
    }

    async fn get(url: &str, limit: usize) -> Result<(u16, Bytes), SendError> {
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let answer = HttpClient::new().send(request, Duration::from_secs(5), limit).await?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    #[tokio::test]
    async fn answers_limits_and_losses() {
        let url =
            serve("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        assert_eq!(get(&url, 5).await.unwrap(), (302, Bytes::from("hello")));
        let error = get(&url, 4).await.unwrap_err();
        assert!(error.too_long && error.message.contains("longer than 4 bytes"), "{error}");
        let chunked = serve("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        assert!(get(&chunked, 4).await.unwrap_err().too_long && get(&chunked, 5).await.is_ok());
        // By what it says of its length, before any of it has come.
        let announced = get(&serve("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n"), 49).await.unwrap_err();
        assert!(announced.too_long, "{announced}");
        let head = serve("HTTP/1.1 200 OK\r\ncontent-length: 50\r\nconnection: close\r\n\r\n");
        let request = http::Request::head(head).body(Bytes::new()).unwrap();
        let answer = HttpClient::new().send(request, Duration::from_secs(5), 4).await.unwrap();
        assert_eq!((answer.headers()["content-length"].as_bytes(), answer.body().len()), (&b"50"[..], 0));

        let error = get(&serve("HTTP/1.1 200 OK\r\ncontent-length: 50\r\nconnection: close\r\n\r\nhello"), 100)
            .await
            .unwrap_err();
        assert!(!error.never_sent && error.message.contains("broke off"), "{error}");
        let error = get(&serve(""), 100).await.unwrap_err();
        assert!(!error.never_sent, "{error}");
    }

    #[tokio::test]
    async fn a_refused_connection_was_never_sent() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = get(&format!("http://{free}/"), 100).await.unwrap_err();
        assert!(error.never_sent && error.message.contains(&free.to_string()), "{error}");
        let error = get("http://no-such-host.invalid/", 100).await.unwrap_err();
        assert!(error.never_sent, "{error}");
    }

    #[tokio::test]
    async fn a_guarded_client_goes_only_where_it_may() {
        let url = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        let named = url.replace("127.0.0.1", "localhost");
        for (loopback, url, allowed) in
            [(true, &url, true), (true, &named, true), (false, &url, false), (false, &named, false)]
        {
            let client = HttpClient::guarded(Destinations { loopback, private: false });
            let request = http::Request::get(url).body(Bytes::new()).unwrap();
            match client.send(request, Duration::from_secs(5), 100).await {
                Ok(_) => assert!(allowed, "{url}"),
                Err(error) => assert!(!allowed && error.denied && error.never_sent, "{url}: {error}"),
            }
        }
        let resolved = HttpClient::guarded(Destinations::default());
        let request = http::Request::get(named.replace("http:", "https:")).body(Bytes::new()).unwrap();
        let error = resolved.send(request, Duration::from_secs(5), 100).await.unwrap_err();
        assert!(error.denied && error.message.contains("this machine itself"), "{error}");
    }

    #[tokio::test]
    async fn silence_ends_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let request =
            http::Request::get(format!("http://{}/", listener.local_addr().unwrap())).body(Bytes::new()).unwrap();
        let error = HttpClient::new().send(request, Duration::from_millis(100), 10).await.unwrap_err();
        assert!(error.message.contains("within 0.1 s") && !error.never_sent, "{error}");
    }
}
