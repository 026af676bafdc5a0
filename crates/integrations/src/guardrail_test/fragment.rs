//! Runs a fragment as a response does: with the outer variables, as the one branch of a Parallel.

use std::{sync::Arc, time::Duration};

use aws::Aws;
use engine::{Engine, Options, SystemClock, sqlite::SqliteStore};
use execution::Status;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Channels, Executor, GuardrailSettings};

/// How long a fragment may take.
const LONGEST: Duration = Duration::from_secs(120);

/// An engine for fragments.
pub(super) struct Fragments {
    engine: Engine,
    account: String,
    region: String,
    /// Lives as long as the store in it.
    _folder: TempDir,
}

impl Fragments {
    pub(super) async fn start(aws: &Aws, account: &str, region: &str) -> Result<Fragments, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("there is no temporary folder: {error}"))?;
        let store = Arc::new(SqliteStore::open(folder.path()).map_err(|error| error.to_string())?);
        let executor = Executor::new(aws.clone(), store.findings(), GuardrailSettings::default(), Channels::default());
        let engine = Engine::start(store, Arc::new(executor), Arc::new(SystemClock), Options::default()).await;
        let engine = engine.map_err(|error| error.to_string())?;
        Ok(Fragments { engine, account: account.to_owned(), region: region.to_owned(), _folder: folder })
    }

    /// Runs a fragment with `{resource, parameters, before}`; its output, or why it failed.
    pub(super) async fn run(&self, fragment: &Value, variables: &Value) -> Result<Value, String> {
        let definition = machine(fragment).to_string();
        let role = format!("arn:aws:iam::{}:role/rectify-test", self.account);
        let machine =
            self.engine.put_state_machine(&self.account, &self.region, "guardrail-test", &definition, &role).await;
        let machine = machine.map_err(|error| error.to_string())?;
        let execution = self.engine.start_execution(&machine.arn, None, &variables.to_string()).await;
        let execution = execution.map_err(|error| error.to_string())?;
        let ended = tokio::time::timeout(LONGEST, self.engine.wait_for_end(&execution.arn))
            .await
            .map_err(|_| format!("it has not ended after {} s", LONGEST.as_secs()))?
            .map_err(|error| error.to_string())?;
        match (ended.status, ended.output) {
            (Status::Succeeded, Some(output)) => Ok(output),
            (status, _) => Err(format!(
                "it ended {}: {}: {}",
                json!(status),
                ended.error.unwrap_or_default(),
                ended.cause.unwrap_or_default()
            )),
        }
    }
}

fn machine(fragment: &Value) -> Value {
    json!({
        "QueryLanguage": "JSONata",
        "StartAt": "Variables",
        "States": {
            "Variables": {
                "Type": "Pass",
                "Assign": {
                    "resource": "{% $states.input.resource %}",
                    "parameters": "{% $states.input.parameters %}",
                    "before": "{% $states.input.before %}",
                },
                "Output": {},
                "Next": "Fragment",
            },
            "Fragment": {
                "Type": "Parallel",
                "Branches": [fragment],
                "Output": "{% $states.result[0] %}",
                "End": true,
            },
        },
    })
}
