//! What OpenTelemetry's environment variables say of pushing metrics and traces.
//!
//! Source: <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::{collections::BTreeMap, env, sync::Arc, time::Duration};

use aws::http::HttpClient;
use engine::Engine;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use server::{
    Metrics,
    metrics::{
        otlp::Resource,
        push::{self, Destination, Telemetry},
        traces::push_traces,
    },
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// How often metrics are pushed, and how long a request may take, unless said otherwise: the specification's own.
const EVERY_MILLISECONDS: u64 = 60_000;
const TIMEOUT_MILLISECONDS: u64 = 10_000;

type Variables = BTreeMap<String, String>;

/// What the environment says; an error where it asks for what is not there.
pub fn from_environment() -> Result<Telemetry, String> {
    let variables = env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    telemetry(&variables.filter(|(name, value)| name.starts_with("OTEL_") && !value.trim().is_empty()).collect())
}

/// Pushes what is to be pushed, until this process ends.
pub fn start(telemetry: Telemetry, ended: Option<mpsc::Receiver<Arc<str>>>, engine: &Engine, metrics: &Arc<Metrics>) {
    let client = HttpClient::from_environment();
    let Telemetry { resource, metrics: of_metrics, traces } = telemetry;
    if let Some((destination, every)) = of_metrics {
        tracing::info!(seconds = every.as_secs_f64(), "metrics are pushed by OTLP");
        let (metrics, resource, client) = (metrics.clone(), resource.clone(), client.clone());
        tokio::spawn(push::push_metrics(metrics, resource, destination, every, client));
    }
    if let Some((destination, ended)) = traces.zip(ended) {
        tracing::info!("traces are pushed by OTLP");
        tokio::spawn(push_traces(engine.clone(), ended, metrics.clone(), resource, destination, client));
    }
}

fn telemetry(variables: &Variables) -> Result<Telemetry, String> {
    let said = |name: &str| variables.get(name).map(|value| value.trim());
    let resource = resource(variables)?;
    if said("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Telemetry { resource, metrics: None, traces: None });
    }
    let destination = |signal: &str| match said(&format!("OTEL_{signal}_EXPORTER")) {
        None | Some("otlp") => destination(variables, signal),
        Some("none") => Ok(None),
        Some(other) => Err(format!("OTEL_{signal}_EXPORTER is `otlp` or `none`, not `{other}`")),
    };
    let every = milliseconds(variables, &["OTEL_METRIC_EXPORT_INTERVAL"], EVERY_MILLISECONDS)?;
    Ok(Telemetry {
        resource,
        metrics: destination("METRICS")?.map(|destination| (destination, every)),
        traces: destination("TRACES")?,
    })
}

/// `service.name` and the like: what the environment says beats what is known here.
fn resource(variables: &Variables) -> Result<Resource, String> {
    let mut attributes = BTreeMap::from([
        ("service.name".to_owned(), "rectify".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id".to_owned(), Uuid::new_v4().to_string()),
    ]);
    attributes.extend(pairs(variables, "OTEL_RESOURCE_ATTRIBUTES")?);
    if let Some(name) = variables.get("OTEL_SERVICE_NAME") {
        attributes.insert("service.name".to_owned(), name.trim().to_owned());
    }
    Ok(Resource(attributes.into_iter().collect()))
}

/// `NAME=VALUE,…`, percent-encoded.
fn pairs(variables: &Variables, name: &str) -> Result<Vec<(String, String)>, String> {
    let text = variables.get(name).map(String::as_str).unwrap_or_default();
    let pair = |pair: &str| {
        // What is no pair may be a secret, and is not shown.
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{name} is a list `NAME=VALUE,NAME=VALUE`"))?;
        let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| format!("{name} holds no UTF-8"))?;
        Ok((key.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

fn milliseconds(variables: &Variables, names: &[&str], unless_said: u64) -> Result<Duration, String> {
    let Some((name, text)) = names.iter().find_map(|name| Some((name, variables.get(*name)?))) else {
        return Ok(Duration::from_millis(unless_said));
    };
    match text.trim().parse::<u64>() {
        Ok(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(format!("{name} is a number of milliseconds, not `{text}`")),
    }
}

/// Where a kind of signal goes; nowhere, unless an endpoint is named.
fn destination(variables: &Variables, signal: &str) -> Result<Option<Destination>, String> {
    let own = |name: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{name}");
    let common = |name: &str| format!("OTEL_EXPORTER_OTLP_{name}");
    let said = |name: &str| variables.get(&own(name)).or_else(|| variables.get(&common(name))).map(|text| text.trim());
    let url = match (variables.get(&own("ENDPOINT")), variables.get(&common("ENDPOINT"))) {
        (Some(whole), _) => whole.trim().to_owned(),
        (None, Some(base)) => format!("{}/v1/{}", base.trim().trim_end_matches('/'), signal.to_lowercase()),
        (None, None) => return Ok(None),
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(format!("{} is no http:// or https:// URL", common("ENDPOINT")));
    }
    // A collector takes both of OTLP's encodings at the same address: JSON is sent for either.
    if let Some(protocol) = said("PROTOCOL").filter(|protocol| !["http/json", "http/protobuf"].contains(protocol)) {
        return Err(format!(
            "{} is `{protocol}`, and OTLP is spoken over HTTP alone here: set it to `http/json`, and the endpoint to the collector's HTTP port (4318 as a rule)",
            common("PROTOCOL")
        ));
    }
    let gzip = match said("COMPRESSION") {
        None | Some("none") => false,
        Some("gzip") => true,
        Some(other) => return Err(format!("{} is `gzip` or `none`, not `{other}`", common("COMPRESSION"))),
    };
    let name = if variables.contains_key(&own("HEADERS")) { own("HEADERS") } else { common("HEADERS") };
    let headers = pairs(variables, &name)?.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
    let timeout = milliseconds(variables, &[&own("TIMEOUT"), &common("TIMEOUT")], TIMEOUT_MILLISECONDS)?;
    Ok(Some(Destination { url, headers, gzip, timeout }))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Telemetry, String> {
        telemetry(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn nothing_is_pushed_unless_an_endpoint_is_named() {
        let quiet: [&[(&str, &str)]; 3] = [
            &[],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), ("OTEL_SDK_DISABLED", "true")],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
        ];
        for variables in quiet {
            let telemetry = read(variables).unwrap();
            assert!(telemetry.metrics.is_none() && telemetry.traces.is_none(), "{variables:?}");
        }
    }

    #[test]
    fn a_signal_s_own_variables_come_first() {
        let telemetry = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/spans"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "y=2"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1500"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod,service.name=other"),
            ("OTEL_SERVICE_NAME", "mine"),
        ])
        .unwrap();
        let (metrics, every) = telemetry.metrics.unwrap();
        let traces = telemetry.traces.unwrap();
        let shown = |destination: &Destination| {
            let headers: Vec<String> =
                destination.headers.iter().map(|(name, value)| format!("{name}={}", value.expose_secret())).collect();
            (destination.url.clone(), headers.join(" "), destination.gzip, destination.timeout.as_millis())
        };
        assert_eq!(shown(&metrics), ("http://c:4318/v1/metrics".into(), "api-key=a b x=1".into(), true, 10_000));
        assert_eq!(shown(&traces), ("https://t/spans".into(), "y=2".into(), true, 1500));
        assert_eq!(every, Duration::from_secs(5));
        let attribute = |name: &str| {
            let found = telemetry.resource.0.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(attribute("service.name"), Some("mine"));
        assert_eq!(attribute("deployment.environment"), Some("prod"));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
        for (name, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "over HTTP alone"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "`gzip` or `none`"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1s", "milliseconds"),
            ("OTEL_METRICS_EXPORTER", "prometheus", "`otlp` or `none`"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "NAME=VALUE"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "c:4318", "no http://"),
        ] {
            let error = read(&[endpoint, (name, value)]).unwrap_err();
            assert!(error.contains(expected) && (value != "secret" || !error.contains(value)), "{error}");
        }
    }
}
