//! `rectify run PLAYBOOK --input FILE`: one execution, here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use asl::{Document, document::Format as TextFormat};
use aws::Aws;
use engine::{Engine, Options, SystemClock, engine::NewMachine, sqlite::SqliteStore};
use execution::Status;
use integrations::{Channels, Executor, functions::GuardrailSettings};
use serde_json::{Value, json};

use super::Problem;
use crate::{configuration::Configuration, diagnostics, output, start};

/// How often the history is looked at for states to show.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The exit status of a program that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

/// Run a playbook once, here; its states are shown as they happen.
///
/// The output goes to standard output; what local functions logged goes to standard error, at the end. Exit status: 0 it succeeded, 1 it failed, timed out or was stopped, 2 it can't be run.
#[derive(clap::Args)]
pub struct Arguments {
    /// The playbook: ASL in JSON or YAML
    playbook: PathBuf,
    /// A file with its input in JSON ({} unless said; `-` is standard input)
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The configuration, for its functions and its account (rectify.yaml in this folder, where there is one)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let name = arguments.playbook.display().to_string();
    let text =
        fs::read_to_string(&arguments.playbook).map_err(|error| Problem(format!("{name} can't be read: {error}")))?;
    let refused = |problems: Vec<_>| Problem(diagnostics::render(&name, &text, &problems));
    let format = TextFormat::of_file_name(&name).unwrap_or_else(|| TextFormat::of_text(&text));
    let (document, problems) = Document::read(&text, format).map_err(refused)?;
    diagnostics::all(problems, asl::parse::parse(&document, &start::known_resources())).map_err(refused)?;
    let input = match &arguments.input {
        None => "{}".to_owned(),
        Some(path) if path.as_os_str() == "-" => std::io::read_to_string(std::io::stdin()).map_err(Problem::new)?,
        Some(path) => {
            fs::read_to_string(path).map_err(|error| Problem(format!("{} can't be read: {error}", path.display())))?
        }
    };
    let definition = document.value().to_string();
    let configuration = Configuration::load(arguments.config.as_deref())?;
    start::runtime().map_err(Problem::new)?.block_on(execute(&definition, &input, &configuration))
}

async fn execute(definition: &str, input: &str, configuration: &Configuration) -> Result<ExitCode, Problem> {
    let folder = tempfile::tempdir().map_err(Problem::new)?;
    let store = Arc::new(SqliteStore::open(folder.path()).map_err(Problem::new)?);
    let aws = Aws::from_environment().await;
    let account = start::account(configuration.account.as_deref(), &aws).await;
    let region = aws.region().to_owned();
    let log_folder = folder.path().join("functions");
    let functions = start::functions(configuration, &aws, &log_folder)?;
    let executor = Executor::new(aws, store.findings(), GuardrailSettings::default(), Channels::default())
        .with_destinations(start::destinations().map_err(Problem)?)
        .with_local_functions(functions.clone());
    let engine = Engine::start(store, Arc::new(executor), Arc::new(SystemClock), Options::default())
        .await
        .map_err(Problem::new)?;
    let playbook = NewMachine {
        name: "playbook".to_owned(),
        definition: definition.to_owned(),
        role_arn: format!("arn:aws:iam::{account}:role/rectify"),
        ..NewMachine::default()
    };
    let machine = engine.create_state_machine(&account, &region, playbook).await.map_err(Problem::new)?;
    let execution = engine.start_execution(&machine.arn, None, input).await.map_err(Problem::new)?;
    let ended = {
        let end = engine.wait_for_end(&execution.arn);
        let end_asked_for = start::end_asked_for();
        tokio::pin!(end, end_asked_for);
        let mut shown = 0;
        loop {
            let ended = tokio::select! {
                ended = &mut end => Some(ended.map_err(Problem::new)?),
                () = tokio::time::sleep(LOOK_EVERY) => None,
                () = &mut end_asked_for => {
                    functions.stop().await;
                    return Ok(ExitCode::from(INTERRUPTED));
                }
            };
            shown = show(&engine, &execution.arn, shown).await?;
            if let Some(ended) = ended {
                break ended;
            }
        }
    };
    functions.stop().await;
    show_logs(&log_folder);
    if ended.status == Status::Succeeded {
        output::line(&format!("{:#}", ended.output.unwrap_or(Value::Null)));
        return Ok(ExitCode::SUCCESS);
    }
    let status = json!(ended.status);
    output::problem(&format!(
        "{}: {}: {}",
        status.as_str().unwrap_or_default(),
        ended.error.as_deref().unwrap_or("no error is named"),
        ended.cause.as_deref().unwrap_or("no cause is given")
    ));
    Ok(ExitCode::FAILURE)
}

/// Shows what local functions logged.
fn show_logs(folder: &Path) {
    let logs = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut logs: Vec<PathBuf> = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    for path in logs {
        if let (Some(name), Ok(text)) = (path.file_stem(), fs::read_to_string(&path)) {
            output::problem(&format!("the log of {}:\n{}", name.display(), text.trim_end()));
        }
    }
}

/// Shows the events after `shown`; the last one shown.
async fn show(engine: &Engine, arn: &str, mut shown: u64) -> Result<u64, Problem> {
    loop {
        let events = engine.history(arn, Some(shown), 1000, false).await.map_err(Problem::new)?;
        let Some(last) = events.last() else { return Ok(shown) };
        shown = last.id;
        for event in &events {
            let event = json!(event);
            let details =
                event.as_object().and_then(|event| event.iter().find(|(key, _)| key.ends_with("EventDetails")));
            let part = |name: &str| details.and_then(|(_, details)| details.get(name)).and_then(Value::as_str);
            let text = [part("name"), part("resource"), part("error"), part("cause")];
            let text = text.into_iter().flatten().collect::<Vec<_>>().join("  ");
            let id = event.get("id").and_then(Value::as_u64).unwrap_or_default();
            let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
            output::problem(format!("{id:>5}  {kind:24}{text}").trim_end());
        }
    }
}
