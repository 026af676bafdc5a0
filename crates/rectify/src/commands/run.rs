//! `rectify run PLAYBOOK --input FILE`: one execution, here.

mod follow;
mod states;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use asl::{Document, document::Format as TextFormat};
use aws::Aws;
use clap::ValueEnum;
use engine::{Engine, Options, SystemClock, engine::NewMachine, sqlite::SqliteStore};
use execution::{Ended, Status};
use integrations::{Channels, Executor, functions::GuardrailSettings};
use serde_json::{Value, json};

use self::follow::Follower;
use super::{Problem, end_asked_for};
use crate::{configuration::Configuration, content, diagnostics, output, start};

/// How long what runs may take to let go, once the program ends.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// `Error` of an execution that was stopped by Ctrl-C, SIGTERM or SIGHUP.
const INTERRUPTED: &str = "Interrupted";

/// Run a playbook once, here; its states are shown as they happen.
///
/// States go to standard error, the output goes to standard output; what local functions logged goes to standard error, at the end.
/// Exit status: 0 it succeeded, 1 it failed, timed out or was stopped, 2 it can't be run.
#[derive(clap::Args)]
pub struct Arguments {
    /// The playbook: ASL in JSON or YAML, with or without a header that says what starts it
    playbook: PathBuf,
    /// A file with its input in JSON ({} unless said; `-` is standard input)
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The configuration, for its functions and its account (rectify.yaml in this folder, where there is one)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The execution's output, once it succeeded
    #[default]
    Json,
    /// Its history events as they happen, one JSON object a line
    Jsonl,
}

pub fn run(arguments: Arguments) -> Result<ExitCode, Problem> {
    let name = arguments.playbook.display().to_string();
    let text =
        fs::read_to_string(&arguments.playbook).map_err(|error| Problem(format!("{name} can't be read: {error}")))?;
    let refused = |problems: Vec<_>| Problem(diagnostics::render(&name, &text, &problems));
    let format = TextFormat::of_file_name(&name).unwrap_or_else(|| TextFormat::of_text(&text));
    // What starts it is not looked at here.
    let machine = content::split_playbook(&text, &name).map(|(_, machine)| machine);
    let (document, problems) = Document::read(machine.as_ref().unwrap_or(&text), format).map_err(refused)?;
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
    let format = arguments.format;
    let folder = tempfile::tempdir().map_err(Problem::new)?;
    let runtime = start::runtime().map_err(Problem::new)?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = execute(folder.path(), &definition, &input, &configuration, format) => done,
            () = asked_twice() => Ok(ExitCode::FAILURE),
        }
    });
    // The functions' processes are killed with it; only then the folder goes.
    runtime.shutdown_timeout(END_TIMEOUT);
    done
}

async fn execute(
    folder: &Path,
    definition: &str,
    input: &str,
    configuration: &Configuration,
    format: Format,
) -> Result<ExitCode, Problem> {
    let store = Arc::new(SqliteStore::open(folder).map_err(Problem::new)?);
    let aws = Aws::from_environment().await;
    let account = start::account(configuration.account.as_deref(), &aws).await;
    let region = aws.region().to_owned();
    let log_folder = folder.join("functions");
    let functions = start::functions(configuration, &aws, &log_folder)?;
    let executor = Executor::new(aws, store.findings(), GuardrailSettings::default(), Channels::default())
        .with_destinations(start::destinations().map_err(Problem)?)
        .with_local_functions(functions.clone());
    let engine = Engine::start(store.clone(), Arc::new(executor), Arc::new(SystemClock), Options::default())
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
    let end = engine.wait_for_end(&execution.arn);
    let stop = stop_when_asked(&engine, &execution.arn);
    let mut follower = Follower::new(&engine, &store, &execution.arn, format);
    let ended = {
        tokio::pin!(end);
        tokio::pin!(stop);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                ended = &mut end => break ended.map_err(Problem::new)?,
                stopped = &mut stop, if !is_stopping => {
                    is_stopping = true;
                    stopped?;
                }
                shown = follower.look() => shown?,
            }
        }
    };
    follower.show().await?;
    functions.stop().await;
    show_logs(&log_folder);
    Ok(told(&ended, format, &mut follower))
}

/// Waits for the second Ctrl-C, SIGTERM or hang-up.
async fn asked_twice() {
    end_asked_for().await;
    end_asked_for().await;
}

/// The first Ctrl-C, SIGTERM or hang-up stops the execution, as StopExecution does; the second one ends the program.
async fn stop_when_asked(engine: &Engine, arn: &str) -> Result<(), Problem> {
    end_asked_for().await;
    output::problem("stopping the execution; once more ends the program at once, wherever it is");
    let cause = "stopped by a signal: Ctrl-C, SIGTERM or SIGHUP".to_owned();
    engine.stop_execution(arn, Some(INTERRUPTED.to_owned()), Some(cause)).await.map_err(Problem::new)?;
    Ok(())
}

/// Prints the output, or says how else it ended.
fn told(ended: &Ended, format: Format, follower: &mut Follower<'_>) -> ExitCode {
    if ended.status == Status::Succeeded {
        if format == Format::Json {
            follower.print(&format!("{:#}", ended.output.as_ref().unwrap_or(&Value::Null)));
        }
        return if follower.has_lost_output() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let status = json!(ended.status);
    output::problem(&format!(
        "{}: {}: {}",
        status.as_str().unwrap_or_default(),
        ended.error.as_deref().unwrap_or("no error is named"),
        ended.cause.as_deref().unwrap_or("no cause is given")
    ));
    ExitCode::FAILURE
}

/// Shows what local functions logged.
fn show_logs(folder: &Path) {
    let logs = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut logs: Vec<PathBuf> = logs.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    logs.sort();
    for path in logs {
        let Some(name) = path.file_stem() else { continue };
        output::problem(&format!("the log of {}:", name.display()));
        // A long one was put aside in part.
        for part in [path.with_extension("log.1"), path.clone()] {
            if let Ok(text) = fs::read(&part) {
                output::problem(String::from_utf8_lossy(&text).trim_end());
            }
        }
    }
}
