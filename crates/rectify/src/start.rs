//! What commands do before their work.

use std::{
    env, io,
    io::IsTerminal as _,
    path::{self, Path},
    time::Duration,
};

use aws::{Aws, Call, Options, http::Destinations};
use integrations::{KnownResources, LocalFunctions, local_function::Home};
use serde_json::{Value, json};
use server::intake::UNKNOWN_ACCOUNT;
use tracing_subscriber::EnvFilter;

use crate::{commands::Problem, configuration::Configuration, output};

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
    // A log that can't be written (its disk is full) is lost; to tell that on the same way would end the thread that logs.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(output::has_colours())
        .log_internal_errors(false);
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

/// Of this process's environment, what a function's process gets beside all of `AWS_*`. Nothing else is its business.
const HANDED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
];

/// The functions that run here, with their logs in a folder.
pub fn functions(configuration: &Configuration, aws: &Aws, log_folder: &Path) -> Result<LocalFunctions, Problem> {
    if let Some(misfit) = configuration.functions_without_code().first() {
        return Err(Problem(format!("the configuration can't be taken: {misfit}")));
    }
    let environment = function_environment(env::vars_os().filter_map(|(name, value)| {
        // What is no text can't be handed on as text.
        name.into_string().ok().zip(value.into_string().ok())
    }));
    let home = Home { environment, region: aws.region().to_owned(), log_folder: log_folder.to_owned() };
    LocalFunctions::new(configuration.functions.clone(), home)
        .map_err(|error| Problem(format!("the folder of the functions' logs, {}: {error}", log_folder.display())))
}

fn function_environment(own: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let is_handed_on = |name: &str| HANDED_ON.contains(&name) || name.starts_with("AWS_");
    let mut environment = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
    environment.extend(own.filter(|(name, _)| is_handed_on(name)).map(|(name, value)| {
        // A function runs in a folder of its own.
        let is_path = name.ends_with("_FILE") || name == "AWS_CA_BUNDLE";
        let absolute = path::absolute(&value).ok().filter(|_| is_path && !value.is_empty());
        (name, absolute.map_or(value, |path| path.display().to_string()))
    }));
    environment
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
    fn functions_get_aws_and_nothing_of_ours() {
        let own = [
            ("RECTIFY_HTTP_TASKS", "loopback"),
            ("RUST_LOG", "debug"),
            ("SLACK_TOKEN", "secret"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/a/credentials"),
            ("NO_PROXY", "x"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/a/credentials"),
            ("NO_PROXY", "x"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(function_environment(own.into_iter()), expected);
    }

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
