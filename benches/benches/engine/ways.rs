//! The two ways to the engine, each as clients that start an execution and wait until it has ended.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use detection::Finding;
use engine::{
    Engine, Options, SystemClock, TaskExecutor,
    engine::{MachineType, NewMachine},
    ports::{Task, TaskOutcome},
    sqlite::SqliteStore,
};
use execution::Status;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    client::{Client, REGION},
    ends::Ends,
    load::Ask,
    machines::Machine,
    process::{Process, Server},
};

const ACCOUNT: &str = "123456789012";
const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// Answers every task at once, as the server's function does.
struct AtOnce;

#[async_trait]
impl TaskExecutor for AtOnce {
    async fn perform(&self, _task: Task) -> TaskOutcome {
        TaskOutcome::Succeeded(
            json!({"ExecutedVersion": "$LATEST", "Payload": {"Owners": [], "Note": "a `Of::No::Service` has no tags that could be read here"}, "StatusCode": 200}),
        )
    }

    fn is_local(&self, _task: &Task) -> bool {
        true
    }

    async fn tell_of_failure(&self, _finding: &Finding) -> Result<(), String> {
        Ok(())
    }
}

/// The engine as a library, in this process.
pub struct Library {
    folder: TempDir,
    engine: Engine,
}

pub struct LibraryClient {
    engine: Engine,
    machine: String,
    is_express: bool,
    input: &'static str,
}

impl Library {
    pub async fn start() -> Library {
        let folder = tempfile::tempdir_in(".").unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).unwrap());
        let engine = Engine::start(store, Arc::new(AtOnce), Arc::new(SystemClock), Options::default()).await.unwrap();
        Library { folder, engine }
    }

    pub async fn clients(&self, machine: Machine, is_express: bool, count: u32) -> Vec<LibraryClient> {
        let new = NewMachine {
            name: name(machine, is_express),
            definition: machine.definition(),
            role_arn: ROLE.to_owned(),
            machine_type: if is_express { MachineType::Express } else { MachineType::Standard },
            ..NewMachine::default()
        };
        let made = self.engine.create_state_machine(ACCOUNT, REGION, new).await.unwrap();
        let one = || LibraryClient {
            engine: self.engine.clone(),
            machine: made.arn.clone(),
            is_express,
            input: machine.input(),
        };
        (0..count).map(|_| one()).collect()
    }

    pub fn process(&self) -> Process {
        Process::own()
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

#[async_trait]
impl Ask for LibraryClient {
    async fn ask(&mut self, _number: u64) {
        let ended = if self.is_express {
            self.engine.start_sync_execution(&self.machine, None, self.input).await.unwrap().ended
        } else {
            let started = self.engine.start_execution(&self.machine, None, self.input).await.unwrap();
            match started.ended {
                Some(ended) => ended,
                None => self.engine.wait_for_end(&started.arn).await.unwrap(),
            }
        };
        assert_eq!(ended.status, Status::Succeeded, "{ended:?}");
    }
}

/// The API of a server.
pub struct Api {
    server: Server,
    ends: Ends,
}

pub struct ApiClient {
    client: Client,
    ends: Option<Ends>,
    /// Of executions: no two clients have the same.
    prefix: String,
    start: String,
}

impl Api {
    pub fn start(binary: &std::path::Path) -> Api {
        let server = Server::start(binary);
        let ends = Ends::of(server.store());
        Api { server, ends }
    }

    pub async fn clients(&self, machine: Machine, is_express: bool, count: u32) -> Vec<ApiClient> {
        let connect = || Client::connect(self.server.address, &self.server.credentials);
        let kind = if is_express { "EXPRESS" } else { "STANDARD" };
        let new = json!({
            "name": name(machine, is_express), "definition": machine.definition(), "roleArn": ROLE, "type": kind,
        });
        let made = connect().await.call("CreateStateMachine", &new.to_string()).await;
        let input = serde_json::to_string(machine.input()).unwrap();
        let mut clients = Vec::new();
        for number in 0..count {
            clients.push(ApiClient {
                client: connect().await,
                ends: (!is_express).then(|| self.ends.clone()),
                prefix: format!("{count}-{number}-{}", jiff::Timestamp::now().as_microsecond()),
                start: format!("{{\"stateMachineArn\":{},\"input\":{input}", made["stateMachineArn"]),
            });
        }
        clients
    }

    pub fn process(&self) -> Process {
        self.server.process()
    }

    pub fn store(&self) -> PathBuf {
        self.server.store()
    }
}

#[async_trait]
impl Ask for ApiClient {
    async fn ask(&mut self, number: u64) {
        let Some(ends) = &self.ends else {
            let answer = self.client.call("StartSyncExecution", &format!("{}}}", self.start)).await;
            assert_eq!(answer["status"], "SUCCEEDED", "{answer}");
            return;
        };
        let name = format!("{}-{number}", self.prefix);
        let end = ends.expect(&name);
        self.client.call("StartExecution", &format!("{},\"name\":\"{name}\"}}", self.start)).await;
        assert_eq!(end.await.unwrap(), "SUCCEEDED");
    }
}

fn name(machine: Machine, is_express: bool) -> String {
    format!("{}-{}", machine.name(), if is_express { "express" } else { "standard" })
}
