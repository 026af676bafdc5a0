//! What commands do before their work.

use std::{env, io, io::IsTerminal as _, time::Duration};

use aws::{Aws, Call, Options, http::Destinations};
use integrations::KnownResources;
use serde_json::{Value, json};
use server::intake::UNKNOWN_ACCOUNT;
use tracing_subscriber::EnvFilter;

use crate::output;

/// The log goes to standard error. What `serves` logs all it does: in lines for people on a terminal, as JSON where it is collected.
/// Other commands speak for themselves, and log what goes wrong.
pub fn logging(serves: bool, verbose: bool) {
    let default = match (verbose, serves) {
        (true, _) => "debug,hyper=info,hyper_util=info,h2=info,rustls=info,aws_config=info",
        (false, true) => "info,aws_config=error",
        (false, false) => "warn,aws_config=error",
    };
    let filter = env::var("RUST_LOG")
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(output::has_colours());
    if io::stderr().is_terminal() || !serves {
        builder.with_target(false).init();
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
}

/// The runtime for what waits for others.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// What a Task's Resource may be, for what only looks and calls nothing.
pub fn known_resources() -> KnownResources {
    KnownResources::new(Aws::new(Options::fixed("us-east-1", "", "")))
}

/// Says what `http:invoke` and `apigateway:invoke` may call besides public hosts by HTTPS: `loopback`, `private`, or both with a comma.
const HTTP_TASKS: &str = "RECTIFY_HTTP_TASKS";

/// Where tasks may call other people's APIs.
pub fn destinations() -> Result<Destinations, String> {
    destinations_of(&env::var(HTTP_TASKS).unwrap_or_default())
}

fn destinations_of(text: &str) -> Result<Destinations, String> {
    let mut destinations = Destinations::default();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "loopback" => destinations.loopback = true,
            "private" => destinations.private = true,
            other => {
                return Err(format!(
                    "{HTTP_TASKS} is `loopback`, `private`, or both with a comma between; not `{other}`"
                ));
            }
        }
    }
    Ok(destinations)
}

/// How long STS may take to say whose credentials these are.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// The account in ARNs: the one that is configured, else the one that STS names, else zeros.
pub async fn account(configured: Option<&str>, aws: &Aws) -> String {
    if let Some(account) = configured {
        return account.to_owned();
    }
    let call = Call {
        service: "sts".to_owned(),
        action: "getCallerIdentity".to_owned(),
        parameters: json!({}),
        region: None,
        role_arn: None,
        idempotency_token: None,
        attempts: 1,
        timeout_seconds: ACCOUNT_TIMEOUT.as_secs(),
        answer_bytes: None,
    };
    let unknown = |reason: String| {
        tracing::warn!(
            reason,
            "STS does not tell which account this is, so ARNs name {UNKNOWN_ACCOUNT}: set `account` in rectify.yaml, or mend the credentials"
        );
        UNKNOWN_ACCOUNT.to_owned()
    };
    match tokio::time::timeout(ACCOUNT_TIMEOUT, aws.call(call)).await {
        Err(_) => unknown(format!("no answer within {} s", ACCOUNT_TIMEOUT.as_secs())),
        Ok(Err(error)) => unknown(error.to_string()),
        Ok(Ok(answer)) => match answer.get("Account").and_then(Value::as_str) {
            Some(account) => account.to_owned(),
            None => unknown("its answer names no account".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tasks_may_call() {
        for (text, expected) in [
            ("", Ok((false, false))),
            ("loopback", Ok((true, false))),
            ("private, loopback", Ok((true, true))),
            (
                "all",
                Err("RECTIFY_HTTP_TASKS is `loopback`, `private`, or both with a comma between; not `all`".to_owned()),
            ),
        ] {
            let found = destinations_of(text).map(|found| (found.loopback, found.private));
            assert_eq!(found, expected, "{text}");
        }
    }
}
