//! Functions as local processes that speak the Lambda Runtime API: what Lambda is, on this machine.
//!
//! - [`runtime_api`] is what a process speaks to, one loopback port for each;
//! - [`process`] is one process, which does one invocation after the other; a function has several at once, kept warm;
//! - [`log`] is the function's log, and [`invocation`] what goes in and out.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

mod invocation;
mod log;
mod process;
mod runtime_api;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

pub use self::invocation::{Answer, EVENT_PAYLOAD_BYTES_MAX, Invocation, PAYLOAD_BYTES_MAX};
use self::{
    invocation::Outcome,
    log::FunctionLog,
    process::{Ended, Process},
};

/// What is waited for, and how long.
#[derive(Clone, Copy)]
struct Timeouts {
    /// A process may take so long until it asks for its first invocation: Lambda's init phase.
    init: Duration,
    /// A process without work is ended after so long.
    idle: Duration,
    /// How often it is looked for such.
    look_every: Duration,
}

const TIMEOUTS: Timeouts =
    Timeouts { init: Duration::from_secs(10), idle: Duration::from_secs(5 * 60), look_every: Duration::from_secs(10) };
/// How often it is looked whether the processes have ended that were asked to.
const LOOK_FOR_END_EVERY: Duration = Duration::from_millis(5);
/// An answer waits for so long until its process asks for more, so that the process is free for what is invoked with that answer.
const ASKS_AGAIN_SOON: Duration = Duration::from_millis(50);
/// How many invocations that nobody waits for may wait for a process of their function.
const EVENTS_WAITING_MAX: usize = 1000;

/// A function as `rectify.yaml` tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalFunction {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The folder it runs in (`LAMBDA_TASK_ROOT`), from the root.
    pub code: PathBuf,
    /// `_HANDLER`.
    pub handler: Option<String>,
    /// Lambda's name of its runtime, `python3.12` for instance.
    pub runtime: Option<String>,
    /// More environment. May hold secrets.
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take.
    pub timeout_seconds: u64,
    /// In MB: told to the process, and nothing holds it to it.
    pub memory_size: u32,
    /// How many processes there may be at once.
    pub concurrency: usize,
}

impl std::fmt::Debug for LocalFunction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LocalFunction")
            .field("command", &self.command)
            .field("code", &self.code)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What all functions share.
pub struct Home {
    /// Of this process's environment, what every function's process gets: its `PATH`, its AWS credentials and endpoints.
    pub environment: Vec<(String, String)>,
    /// `AWS_REGION`.
    pub region: String,
    /// Where the logs are kept.
    pub log_folder: PathBuf,
}

/// Lambda's `TooManyRequestsException`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Rate Exceeded.")]
pub struct TooManyRequests;

/// The functions of this machine, by their names. Their processes end with it.
#[derive(Clone)]
pub struct LocalFunctions(Arc<Functions>);

struct Functions {
    pools: BTreeMap<String, Arc<Pool>>,
    stop: watch::Sender<bool>,
    /// Each process holds it too: so many are there.
    alive: Arc<()>,
}

impl LocalFunctions {
    /// These. Nothing is started yet. An error is why the folder of the logs can't be made.
    pub fn new(functions: BTreeMap<String, LocalFunction>, home: Home) -> io::Result<LocalFunctions> {
        LocalFunctions::with_timeouts(functions, home, TIMEOUTS)
    }

    fn with_timeouts(
        functions: BTreeMap<String, LocalFunction>,
        home: Home,
        timeouts: Timeouts,
    ) -> io::Result<LocalFunctions> {
        if !functions.is_empty() {
            // What functions log may hold secrets.
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&home.log_folder)?;
            fs::set_permissions(&home.log_folder, fs::Permissions::from_mode(0o700))?;
        }
        let home = Arc::new(home);
        let (stop, stopped) = watch::channel(false);
        let alive = Arc::new(());
        let pool = |(name, function): (String, LocalFunction)| {
            let pool = Pool {
                log: Arc::new(FunctionLog::new(&home.log_folder, &name)),
                permits: Arc::new(Semaphore::new(function.concurrency)),
                waiting: Arc::new(Semaphore::new(EVENTS_WAITING_MAX)),
                finishing: AtomicUsize::new(0),
                idle: Mutex::new(Vec::new()),
                home: Arc::clone(&home),
                stopped: stopped.clone(),
                alive: Arc::clone(&alive),
                name: name.clone(),
                timeouts,
                function,
            };
            (name, Arc::new(pool))
        };
        let pools: BTreeMap<String, Arc<Pool>> = functions.into_iter().map(pool).collect();
        for pool in pools.values() {
            tokio::spawn(look_after(Arc::downgrade(pool), timeouts.look_every, stopped.clone()));
        }
        Ok(LocalFunctions(Arc::new(Functions { pools, stop, alive })))
    }

    /// The function of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Pool>> {
        self.0.pools.get(name)
    }

    /// Ends all processes: first asked to, then made to. What they were doing is never answered, so that it goes on at the next start.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        for pool in self.0.pools.values() {
            for idle in std::mem::take(&mut *pool.idle()) {
                tokio::spawn(idle.process.end());
            }
        }
        // One is held here, and one by each function.
        while Arc::strong_count(&self.0.alive) > self.0.pools.len() + 1 {
            tokio::time::sleep(LOOK_FOR_END_EVERY).await;
        }
    }
}

/// One function, and its processes.
pub struct Pool {
    name: String,
    function: LocalFunction,
    home: Arc<Home>,
    timeouts: Timeouts,
    log: Arc<FunctionLog>,
    /// One for each process that may work.
    permits: Arc<Semaphore>,
    /// One for each invocation that may wait.
    waiting: Arc<Semaphore>,
    /// Processes that have answered, and not asked for more yet: they still have their permits.
    finishing: AtomicUsize,
    /// Those without work, the last used last. With those that work they are never more than `concurrency`: one is started only where
    /// there is none without work.
    idle: Mutex<Vec<Idle>>,
    stopped: watch::Receiver<bool>,
    alive: Arc<()>,
}

struct Idle {
    process: Process,
    since: Instant,
}

impl Pool {
    /// Invokes the function and waits for its answer. Whoever stops waiting does not stop the function, as at Lambda.
    pub async fn invoke(self: &Arc<Self>, invocation: Invocation) -> Result<Answer, TooManyRequests> {
        let Some(permit) = self.permit().await else {
            self.unless_stopped().await;
            return Err(TooManyRequests);
        };
        match tokio::spawn(Arc::clone(self).run(invocation, permit)).await {
            Ok(answer) => Ok(answer),
            // The runtime ends, and everything with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Invokes the function, and waits for nothing: it runs once one of its processes is free.
    pub fn invoke_event(self: &Arc<Self>, invocation: Invocation) -> Result<(), TooManyRequests> {
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| TooManyRequests)?;
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            let Ok(permit) = Arc::clone(&pool.permits).acquire_owned().await else { return };
            drop(place);
            let name = pool.name.clone();
            let answer = pool.run(invocation, permit).await;
            if answer.failed {
                tracing::warn!(
                    function = name,
                    "an invocation of type Event failed, and is not retried: its log tells more"
                );
            }
        });
        Ok(())
    }

    /// Leave to use a process. Where all are used it is waited for only if one of them has answered already: it is free in a moment.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        let _place = (self.finishing.load(Ordering::Relaxed) > 0).then(|| self.waiting.try_acquire().ok()).flatten()?;
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never comes back once all is to end.
    async fn unless_stopped(&self) {
        if *self.stopped.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// Does an invocation in a process that is warm, else in a new one. The permit is given back once the process is free again.
    async fn run(self: Arc<Self>, invocation: Invocation, permit: OwnedSemaphorePermit) -> Answer {
        loop {
            self.unless_stopped().await;
            let idle = self.idle().pop();
            let mut process = match idle {
                Some(idle) => idle.process,
                None => match self.start().await {
                    Ok(process) => process,
                    Err(error) => return self.not_started(&invocation, &error),
                },
            };
            let mut stopped = self.stopped.clone();
            let ended = tokio::select! {
                ended = process.invoke(&invocation, &self.function, self.timeouts.init) => Some(ended),
                () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => None,
            };
            match ended {
                None => {
                    process.end().await;
                    return std::future::pending().await;
                }
                // One that died without work is none of this invocation's business.
                Some(Ended::NotDelivered) => {}
                Some(Ended::Lost(answer)) => return answer,
                Some(Ended::Answered(answer)) => {
                    self.finishing.fetch_add(1, Ordering::Relaxed);
                    let finishing = tokio::spawn(Arc::clone(&self).finish(process, permit));
                    // Most ask at once: then this one is free for whoever comes next.
                    drop(tokio::time::timeout(ASKS_AGAIN_SOON, finishing).await);
                    return answer;
                }
            }
        }
    }

    /// Waits until a process that has answered asks for more; only then it is free.
    async fn finish(self: Arc<Self>, mut process: Process, permit: OwnedSemaphorePermit) {
        let mut stopped = self.stopped.clone();
        let asks = tokio::select! {
            asks = process.asks_again() => asks,
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => false,
        };
        if asks {
            self.keep(process);
        } else {
            process.end().await;
        }
        // In this order, so that nobody is refused in between.
        drop(permit);
        self.finishing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Keeps a process warm, unless all is to end.
    fn keep(&self, process: Process) {
        let mut idle = self.idle();
        if *self.stopped.borrow() {
            tokio::spawn(process.end());
        } else {
            idle.push(Idle { process, since: Instant::now() });
        }
    }

    async fn start(&self) -> io::Result<Process> {
        Process::start(&self.name, &self.function, &self.home, Arc::clone(&self.log), Arc::clone(&self.alive)).await
    }

    fn not_started(&self, invocation: &Invocation, error: &io::Error) -> Answer {
        let program = self.function.command.first().map_or("", String::as_str);
        let message = format!("`{program}` can't be started in {}: {error}", self.function.code.display());
        let request_id = invocation.request_id.as_str();
        self.log.line(Some(request_id), &message);
        let (Outcome::Failed(payload) | Outcome::Succeeded(payload)) =
            Outcome::platform("Runtime.InvalidEntrypoint", request_id, &message);
        Answer { payload, failed: true, log_tail: String::new() }
    }

    /// Takes out the processes that ended by themselves, and those that had nothing to do for long.
    fn unneeded(&self) -> Vec<Process> {
        let mut idle = self.idle();
        let (kept, unneeded) = std::mem::take(&mut *idle)
            .into_iter()
            .map(|mut one| (one.since.elapsed() < self.timeouts.idle && !one.process.has_ended(), one))
            .partition::<Vec<_>, _>(|(is_needed, _)| *is_needed);
        *idle = kept.into_iter().map(|(_, one)| one).collect();
        unneeded.into_iter().map(|(_, one)| one.process).collect()
    }
}

/// Ends what a function does not need any more, for as long as there is the function.
async fn look_after(pool: std::sync::Weak<Pool>, every: Duration, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => return,
        }
        let Some(pool) = pool.upgrade() else { return };
        for process in pool.unneeded() {
            tokio::spawn(process.end());
        }
    }
}
