//! `rectify serve`.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use aws::{Aws, http::HttpClient};
use detection::{Guardrail, Playbook, Settings, Source, arn::partition, rule::Names};
use engine::{
    Engine, Options, SystemClock,
    sqlite::{Pruner, SqliteStore},
};
use integrations::{Channels, ConfigRules, Executor, KnownResources, SecurityHub, functions::GuardrailSettings};
use secrecy::ExposeSecret as _;
use server::{
    Access, App, Intake, Metrics, Playbooks, Registry, SnsClient, Topics, Webhooks, playbooks::PlaybookSettings,
    queue::Queue, router::router, tls::TlsListener,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use super::{Problem, end_asked_for};
use crate::{
    configuration::{Configuration, QueueSource},
    content::{self, Broken},
    diagnostics, output,
    rules::{self, RulesFolder},
    start, telemetry,
};

/// How long requests under way may take once the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Take events in, and respond to them.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = "rectify-data")]
    data: PathBuf,
    /// The configuration (rectify.yaml in this folder, where there is one)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The certificate chain to listen with, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// A proxy in front does TLS: listen without it on an address that is not loopback
    #[arg(long, conflicts_with = "tls_certificate")]
    behind_tls_proxy: bool,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    if !arguments.listen.ip().is_loopback() && arguments.tls_certificate.is_none() && !arguments.behind_tls_proxy {
        return Err(Problem(format!(
            "{} is not a loopback address, and keys and events would cross the network in the clear: give --tls-certificate and --tls-key, or say --behind-tls-proxy where a proxy does TLS",
            arguments.listen
        )));
    }
    let configuration = Configuration::load(arguments.config.as_deref())?;
    start::runtime().map_err(Problem::new)?.block_on(serve(arguments, configuration))
}

async fn serve(arguments: Arguments, configuration: Configuration) -> Result<ExitCode, Problem> {
    make_private(&arguments.data).map_err(|error| {
        Problem(format!(
            "the data folder {} can't be made: {error}; choose one that can be written to with --data",
            arguments.data.display()
        ))
    })?;
    let store = Arc::new(open_store(&arguments.data)?);
    let pruner = Pruner::new(store.clone(), configuration.retention);
    let aws = Aws::from_environment().await;
    let access = Arc::new(Access::open(&arguments.data, aws.region()).map_err(Problem::new)?);
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Problem(format!("{} can't be listened on: {error}; choose another with --listen", arguments.listen))
    })?;
    let account = start::account(configuration.account.as_deref(), &aws).await;
    let resources = KnownResources::new(aws.clone());
    let guardrails = guardrails(&configuration, &resources)?;
    let playbooks = playbooks(&configuration, &resources)?;
    let rules = rules_of(&configuration, &guardrails, &playbooks)?;
    let sources = sources(&configuration)?;
    let webhooks = Arc::new(Webhooks::new(configuration.webhooks(&sources).map_err(Problem)?));
    let partition = partition(aws.region());
    let role = configuration.role.as_ref();
    let role = role.map(|role| format!("'arn:{partition}:iam::' & $resource.Account & ':role/{role}'"));
    let playbooks = Arc::new(Playbooks::new(playbooks, &account));
    let registry = Arc::new(Registry::new(guardrails, &account, role.as_deref()).with_playbooks(&playbooks));
    let is_rule = |id: &str| rules.as_ref().is_some_and(|rules| rules.has(id));
    for (playbook, rule) in playbooks.unknown_rules(is_rule) {
        tracing::warn!(playbook, rule, "the playbook is to be started by a rule that is not there (yet)");
    }
    if let Some(rules) = &rules {
        registry.put_rules(rules.in_force());
    }
    let telemetry = telemetry::from_environment().map_err(Problem)?;
    let channels = Channels::new(&configuration.channels, &HttpClient::from_environment()).map_err(Problem::new)?;
    let own_listener = own_listener(&arguments).await?;
    let own_address = own_listener.as_ref().unwrap_or(&listener).local_addr().map_err(Problem::new)?;
    let states = own_states(&aws, &access, own_address);
    let figures = channels.figures();
    let executor = Executor::new(aws.clone(), store.findings(), GuardrailSettings::new(registry.settings()), channels)
        .with_destinations(start::destinations().map_err(Problem)?);
    let functions = start::functions(&configuration, &aws, &arguments.data.join("functions"))?;
    let executor = executor.with_local_functions(functions.clone());
    let executor = match states {
        Some(states) => executor.with_own_states(states),
        None => executor,
    };
    let usual = Options::default();
    let (ended, traced) = telemetry.queue();
    let options = Options {
        ended,
        quotas: configuration.quotas,
        evict_after_seconds: configuration.evict_after_seconds.unwrap_or(usual.evict_after_seconds),
        executions_in_memory: configuration.executions_in_memory.unwrap_or(usual.executions_in_memory),
        ..usual
    };
    let exports = configuration.security_hub.then(|| store.exports());
    let config_rules =
        ConfigRules::new(store.evaluations(), Arc::new(SystemClock), aws.clone(), configuration.role.clone());
    let engine =
        Engine::start(store.clone(), Arc::new(executor), Arc::new(SystemClock), options).await.map_err(Problem::new)?;
    playbooks.limit(&engine).await.map_err(Problem::new)?;
    let metrics = Arc::new(Metrics::new(registry.figures.clone(), figures, engine.clone(), store, aws.clone()));
    telemetry::start(telemetry, traced, &engine, &metrics);
    let intake =
        Intake::new(engine.clone(), Arc::clone(&registry), &account, configuration.role.is_some(), aws.clone())
            .with_playbooks(Arc::clone(&playbooks))
            .with_sources(sources);
    let intake = match configuration.backlog {
        Some(executions) => intake.with_backlog(executions),
        None => intake,
    };
    let topics = Arc::new(Topics::new(configuration.topics, SnsClient::new(&aws)));
    // These end with this process: what they were about is found again.
    tokio::spawn(pruner.run(Arc::new(SystemClock)));
    if let Some(rules) = rules {
        tokio::spawn(rules::watch(rules, Arc::clone(&registry)));
    }
    tokio::spawn(config_rules.run());
    if let Some(exports) = exports.clone() {
        let (clock, controls) = (Arc::new(SystemClock), registry.controls());
        tokio::spawn(SecurityHub::new(exports, clock, aws.clone(), configuration.role.clone(), controls).run());
    }
    let (stop, stopped) = watch::channel(false);
    let mut pollers = JoinSet::new();
    for QueueSource { url, visibility_timeout_seconds } in configuration.queues {
        let queue = Queue { url, visibility_timeout_seconds, aws: aws.clone(), intake: intake.clone() };
        pollers.spawn(queue.poll(stopped.clone()));
    }
    let engine_end = {
        let engine = engine.clone();
        async move { engine.ended().await }
    };
    let app = App {
        engine,
        intake,
        registry,
        access,
        webhooks,
        topics,
        metrics,
        resources,
        exports,
        account: account.clone(),
    };
    tracing::info!(listen = %arguments.listen, account, region = aws.region(), data = %arguments.data.display(), "ready");
    let router = router(app);
    if let Some(listener) = own_listener {
        // Ends with this process: nobody but itself asks there.
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
    }
    tokio::select! {
        served = listen(listener, &arguments, router, stop) => served?,
        () = engine_end => {
            let text = "a part of the engine has ended by itself, which is a bug; nothing is lost: start it anew, and report what the log says";
            return Err(Problem(text.to_owned()));
        }
    }
    let pollers_end = async { while pollers.join_next().await.is_some() {} };
    drop(tokio::time::timeout(GRACE, pollers_end).await);
    functions.stop().await;
    tracing::info!("stopped; what was under way goes on at the next start");
    Ok(ExitCode::SUCCESS)
}

/// Makes a folder that only its owner can look into. One that is there stays as it is, and what others may do in it is told.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            tracing::warn!(
                folder = %folder.display(),
                mode = format!("{mode:o}"),
                "others than its owner may look into the data folder: `chmod 700` it"
            );
        }
    }
    Ok(())
}

/// Where this process asks its own API: with TLS in front a certificate need not name a loopback address, so it listens once more.
async fn own_listener(arguments: &Arguments) -> Result<Option<TcpListener>, Problem> {
    if arguments.tls_certificate.is_none() {
        return Ok(None);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    listener.map(Some).map_err(|error| Problem(format!("no loopback port can be listened on: {error}")))
}

/// What `states:*` and `aws-sdk:sfn:*` tasks call: this process's own API, unless `AWS_ENDPOINT_URL_SFN` names another.
fn own_states(aws: &Aws, access: &Access, mut address: SocketAddr) -> Option<Aws> {
    if aws.own_endpoint("sfn").is_some() {
        return None;
    }
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let (id, secret) = access.key_pair();
    let mut options = aws::Options::fixed(aws.region(), id, secret.expose_secret());
    options.endpoint_url = Some(format!("http://{address}"));
    Some(Aws::new(options))
}

fn open_store(folder: &Path) -> Result<SqliteStore, Problem> {
    #[cfg(debug_assertions)]
    if let Some(observer) = crate::crash::asked_for()? {
        return SqliteStore::open_observed(folder, observer).map_err(Problem::new);
    }
    SqliteStore::open(folder).map_err(Problem::new)
}

/// Serves until the end is asked for; then requests under way get a grace.
async fn listen(
    listener: TcpListener,
    arguments: &Arguments,
    router: axum::Router,
    stop: watch::Sender<bool>,
) -> Result<(), Problem> {
    let mut stopped = stop.subscribe();
    let ending = async move {
        end_asked_for().await;
        // Nobody listens where nothing is polled.
        let _ = stop.send(true);
    };
    let serving: std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>> =
        match (&arguments.tls_certificate, &arguments.tls_key) {
            (Some(certificate), Some(key)) => {
                let listener = TlsListener::new(listener, certificate, key).map_err(Problem::new)?;
                Box::pin(axum::serve(listener, router).with_graceful_shutdown(ending).into_future())
            }
            _ => Box::pin(axum::serve(listener, router).with_graceful_shutdown(ending).into_future()),
        };
    let grace_over = async {
        drop(stopped.wait_for(|stop| *stop).await);
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving => served.map_err(|error| Problem(format!("serving ended: {error}"))),
        () = grace_over => Ok(()),
    }
}

/// The guardrails with their settings. A broken guardrail file is told and left out; what the configuration says of a
/// guardrail that it can't take ends the start, since the guardrail would do something else than was meant.
fn guardrails(
    configuration: &Configuration,
    resources: &KnownResources,
) -> Result<Vec<(Guardrail, Settings)>, Problem> {
    let folder: Option<&Path> = configuration.guardrails_folder.as_deref();
    let (found, broken) = content::guardrails(folder, resources).map_err(Problem)?;
    tell_broken(&broken, "guardrail");
    if let Some(misfit) = configuration.misfits(&found).first() {
        return Err(Problem(format!("the configuration can't be taken: {misfit}")));
    }
    found
        .into_iter()
        .map(|guardrail| configuration.settings(&guardrail).map(|settings| (guardrail, settings)).map_err(Problem))
        .collect()
}

/// The folder of rules, where there is one. A broken file is told and left out; a name that is not there ends the start.
fn rules_of(
    configuration: &Configuration,
    guardrails: &[(Guardrail, Settings)],
    playbooks: &[(Playbook, PlaybookSettings)],
) -> Result<Option<RulesFolder>, Problem> {
    let names = Names {
        guardrails: guardrails.iter().map(|(guardrail, _)| guardrail.id.clone()).collect(),
        playbooks: playbooks.iter().map(|(playbook, _)| playbook.id.clone()).collect(),
    };
    let rules = RulesFolder::of(configuration, names).map_err(Problem)?;
    if let Some(rules) = &rules {
        rules.tell_first();
    }
    Ok(rules)
}

/// The playbooks that are enabled, with their settings. A broken file is told and left out; what the configuration says of a playbook that
/// it can't take ends the start.
fn playbooks(
    configuration: &Configuration,
    resources: &KnownResources,
) -> Result<Vec<(Playbook, PlaybookSettings)>, Problem> {
    let folder = configuration.playbooks_folder.as_deref();
    let (found, broken) = content::playbooks(folder, resources).map_err(Problem)?;
    tell_broken(&broken, "playbook");
    if let Some(misfit) = configuration.playbook_misfits(&found).first() {
        return Err(Problem(format!("the configuration can't be taken: {misfit}")));
    }
    let mut enabled = Vec::new();
    for found in found {
        if let Some(settings) = configuration.playbook_settings(&found).map_err(Problem)? {
            tracing::info!(
                playbook = found.playbook.id,
                concurrency = settings.concurrency,
                "this playbook is enabled"
            );
            enabled.push((found.playbook, settings));
        }
    }
    Ok(enabled)
}

/// The sources. A broken file is told and left out: what comes of it is kept, and can be read again once the file is mended.
fn sources(configuration: &Configuration) -> Result<Vec<Source>, Problem> {
    let (found, broken) = content::sources(configuration.sources_folder.as_deref()).map_err(Problem)?;
    tell_broken(&broken, "source");
    Ok(found)
}

fn tell_broken(broken: &[Broken], kind: &str) {
    for file in broken {
        output::problem(&diagnostics::render(&file.name, &file.text, &file.diagnostics));
        let problems = file.diagnostics.len();
        tracing::error!(file = file.name, problems, "this {kind} is left out; the others go on");
    }
}
