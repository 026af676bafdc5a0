//! One process of a function: an execution environment, as Lambda calls it. It does one invocation after the other.

use std::{
    os::{fd::OwnedFd, unix::process::ExitStatusExt as _},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    net::unix::pipe,
    process::{Child, Command},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use uuid::Uuid;

use super::{
    Home, LocalFunction,
    invocation::{Answer, Invocation, Outcome},
    log::{FunctionLog, Lines},
    runtime_api::{Asked, RuntimeApi},
};

/// How long a process may take to end by itself (SIGTERM) before it is ended (SIGKILL).
const GRACE: Duration = Duration::from_secs(2);
/// How long what a process wrote may take to be read, once it has answered or ended.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(500);

/// A process with its Runtime API. It is killed, with all that it started, when this is dropped.
pub(super) struct Process {
    api: RuntimeApi,
    child: Child,
    /// Its process group has the same number.
    pid: Option<Pid>,
    output: Output,
    started: Instant,
    /// Whether an invocation was delivered to it already.
    warm: bool,
    /// Until when it may work on its invocation: also after its answer.
    deadline: Instant,
    /// Its end is what the host waits for when it stops.
    _alive: Arc<()>,
}

/// How an invocation ended.
pub(super) enum Ended {
    /// With this; the process may ask for another.
    Answered(Answer),
    /// With this; the process is of no use any more.
    Lost(Answer),
    /// The process was gone before it got the invocation.
    NotDelivered,
}

/// Why a process can't take an invocation.
enum Unready {
    /// It ended.
    Exited(ExitStatus),
    /// It said so itself: the error object.
    InitError(String),
    /// It did not ask in time.
    TimedOut,
}

impl Process {
    /// Starts one. An error is why the command can't be run.
    pub(super) async fn start(
        name: &str,
        function: &LocalFunction,
        home: &Home,
        log: Arc<FunctionLog>,
        alive: Arc<()>,
    ) -> std::io::Result<Process> {
        let api = RuntimeApi::start().await?;
        let (reader, writer) = std::io::pipe()?;
        let (program, arguments) = function
            .command
            .split_first()
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidInput, "the command is empty"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&function.code)
            .env_clear()
            .envs(home.environment.iter().map(|(name, value)| (name, value)))
            .envs(&function.environment)
            .envs(lambda_environment(name, function, &home.region, &api.address.to_string()))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let output = Output::start(OwnedFd::from(reader), log)?;
        Ok(Process {
            api,
            child,
            pid,
            output,
            started: Instant::now(),
            warm: false,
            deadline: Instant::now(),
            _alive: alive,
        })
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives it an invocation, and waits for the answer.
    pub(super) async fn invoke(
        &mut self,
        invocation: &Invocation,
        function: &LocalFunction,
        init_timeout: Duration,
    ) -> Ended {
        let request_id = invocation.request_id.as_str();
        let limit = Duration::from_secs(function.timeout_seconds);
        let was_warm = std::mem::replace(&mut self.warm, true);
        let init_timeout = if was_warm { limit } else { init_timeout };
        if was_warm && self.has_ended() {
            self.kill().await;
            return Ended::NotDelivered;
        }
        let mut init = String::new();
        let ((outcome, is_lost), begun) = loop {
            let unready = tokio::select! {
                biased;
                ended = self.child.wait() => Some(Unready::Exited(ended.unwrap_or_default())),
                asked = self.api.asked() => match asked {
                    Asked::ForInvocation => None,
                    Asked::InitError(error) => Some(Unready::InitError(error)),
                },
                () = sleep(init_timeout) => Some(Unready::TimedOut),
            };
            if matches!(unready, Some(Unready::Exited(_))) && was_warm {
                self.kill().await;
                return Ended::NotDelivered;
            }
            let init_duration = milliseconds(self.started.elapsed());
            if let Some(unready) = unready {
                self.output.begin(request_id);
                let begun = if was_warm { Instant::now() } else { self.started };
                break (self.unready(unready, request_id, init_timeout), begun);
            }
            let begun = Instant::now();
            // What the process writes from now on belongs to this invocation.
            self.output.begin(request_id);
            let Some(answer) = self.api.deliver(invocation, limit) else { continue };
            self.deadline = begun + limit;
            if !was_warm {
                init = format!("\tInit Duration: {init_duration} ms");
            }
            break (self.outcome(answer, request_id, limit).await, begun);
        };
        if is_lost {
            self.kill().await;
        }
        let duration = milliseconds(begun.elapsed());
        self.output.drained().await;
        let billed = begun.elapsed().as_millis().saturating_add(1);
        let report = format!(
            "Duration: {duration} ms\tBilled Duration: {billed} ms\tMemory Size: {} MB{init}",
            function.memory_size
        );
        let log_tail = self.output.end(&report);
        let answer = match outcome {
            Outcome::Succeeded(payload) => Answer { payload, failed: false, log_tail },
            Outcome::Failed(payload) => Answer { payload, failed: true, log_tail },
        };
        if is_lost { Ended::Lost(answer) } else { Ended::Answered(answer) }
    }

    /// Waits until it asks for another invocation, having answered one. `false` where it ends before, or its time-out comes.
    pub(super) async fn asks_again(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.child.wait() => false,
            asked = self.api.asked() => matches!(asked, Asked::ForInvocation),
            () = sleep_until(self.deadline) => false,
        }
    }

    /// The outcome where a process did not ask for the invocation.
    fn unready(&self, unready: Unready, request_id: &str, limit: Duration) -> (Outcome, bool) {
        let outcome = match unready {
            Unready::Exited(status) => self.exited(status, request_id),
            Unready::InitError(error) => Outcome::Failed(error),
            Unready::TimedOut => {
                let duration = milliseconds(limit);
                self.output.line(&format!("INIT_REPORT Init Duration: {duration} ms\tPhase: init\tStatus: timeout"));
                self.timed_out(request_id, limit)
            }
        };
        (outcome, true)
    }

    /// Waits for the answer to what was delivered; whether the process is lost with it.
    async fn outcome(
        &mut self,
        answer: tokio::sync::oneshot::Receiver<Outcome>,
        request_id: &str,
        limit: Duration,
    ) -> (Outcome, bool) {
        tokio::select! {
            // An answer counts, though the process may have ended behind it.
            biased;
            answer = answer => match answer {
                Ok(outcome) => (outcome, false),
                Err(_) => (Outcome::platform("Runtime.Unknown", request_id, "the Runtime API ended"), true),
            },
            ended = self.child.wait() => (self.exited(ended.unwrap_or_default(), request_id), true),
            () = sleep(limit) => (self.timed_out(request_id, limit), true),
        }
    }

    fn exited(&self, status: ExitStatus, request_id: &str) -> Outcome {
        let message = how(status);
        self.output.line(&format!("RequestId: {request_id} Error: {message}"));
        Outcome::platform("Runtime.ExitError", request_id, &message)
    }

    fn timed_out(&self, request_id: &str, limit: Duration) -> Outcome {
        let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        self.output.line(&format!("{request_id} {message}"));
        Outcome::platform("Sandbox.Timedout", request_id, &message)
    }

    /// Asks it and all that it started to end, and ends them a little later.
    pub(super) async fn end(mut self) {
        self.signal(Signal::TERM);
        drop(timeout(GRACE, self.child.wait()).await);
        self.kill().await;
        self.output.drained().await;
        self.output.flush();
    }

    /// Ends it and all that it started.
    async fn kill(&mut self) {
        self.signal(Signal::KILL);
        drop(timeout(GRACE, self.child.wait()).await);
        self.pid = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // There may be nobody left.
            let _nobody_left = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// What a process writes on standard output and standard error, on its way into the log.
struct Output {
    shared: Arc<Shared>,
    reading: JoinHandle<()>,
}

struct Shared {
    pipe: pipe::Receiver,
    log: Arc<FunctionLog>,
    /// Held while what was read is written, so that whoever has it knows that all is written that is not in the pipe.
    lines: Mutex<Lines>,
}

impl Output {
    fn start(reader: OwnedFd, log: Arc<FunctionLog>) -> std::io::Result<Output> {
        let pipe = pipe::Receiver::from_owned_fd(reader)?;
        let shared = Arc::new(Shared { pipe, log, lines: Mutex::new(Lines::default()) });
        let reading = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { while shared.pipe.readable().await.is_ok() && shared.take() {} }
        });
        Ok(Output { shared, reading })
    }

    fn begin(&self, request_id: &str) {
        self.shared.lines().begin(request_id, &self.shared.log);
    }

    fn end(&self, report: &str) -> String {
        self.shared.lines().end(report, &self.shared.log)
    }

    fn line(&self, text: &str) {
        self.shared.lines().line(text, &self.shared.log);
    }

    fn flush(&self) {
        self.shared.lines().flush(&self.shared.log);
    }

    /// Waits until what was written so far is in the log.
    async fn drained(&self) {
        let empty = async {
            while rustix::io::ioctl_fionread(&self.shared.pipe).is_ok_and(|bytes| bytes > 0) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        drop(timeout(OUTPUT_TIMEOUT, empty).await);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is there; `false` at the end.
    fn take(&self) -> bool {
        let mut bytes = [0; 8 * 1024];
        let mut lines = self.lines();
        match self.pipe.try_read(&mut bytes) {
            Ok(0) => {
                lines.flush(&self.log);
                false
            }
            Ok(read) => {
                lines.push(bytes.get(..read).unwrap_or_default(), &self.log);
                true
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

/// The environment that Lambda promises.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn lambda_environment(
    name: &str,
    function: &LocalFunction,
    region: &str,
    runtime_api: &str,
) -> Vec<(&'static str, String)> {
    let today = Timestamp::now().to_string().get(..10).unwrap_or_default().replace('-', "/");
    vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_size.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("{today}/[$LATEST]{}", Uuid::new_v4().simple())),
        ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", function.runtime.as_deref().unwrap_or("local"))),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("LAMBDA_TASK_ROOT", function.code.display().to_string()),
        ("_HANDLER", function.handler.clone().unwrap_or_default()),
        ("TZ", ":UTC".to_owned()),
    ]
}

/// How a process ended, in Lambda's words.
fn how(status: ExitStatus) -> String {
    let signal = match (status.code(), status.signal()) {
        (Some(0), _) => return "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => return format!("Runtime exited with error: exit status {code}"),
        (None, Some(1)) => "hangup",
        (None, Some(2)) => "interrupt",
        (None, Some(3)) => "quit",
        (None, Some(4)) => "illegal instruction",
        (None, Some(6)) => "aborted",
        (None, Some(9)) => "killed",
        (None, Some(11)) => "segmentation fault",
        (None, Some(13)) => "broken pipe",
        (None, Some(15)) => "terminated",
        (None, Some(other)) => return format!("Runtime exited with error: signal: signal {other}"),
        (None, None) => "unknown",
    };
    format!("Runtime exited with error: signal: {signal}")
}

/// As Lambda writes durations: with two decimals.
fn milliseconds(duration: Duration) -> String {
    let hundredths = duration.as_micros() / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_lambdas_words() {
        for (raw, expected) in [
            (0, "Runtime exited without providing a reason"),
            (1 << 8, "Runtime exited with error: exit status 1"),
            (9, "Runtime exited with error: signal: killed"),
            (15, "Runtime exited with error: signal: terminated"),
            (31, "Runtime exited with error: signal: signal 31"),
        ] {
            assert_eq!(how(ExitStatus::from_raw(raw)), expected);
        }
    }

    #[test]
    fn durations_have_two_decimals() {
        for (micros, expected) in [(0, "0.00"), (1_239, "1.23"), (12_000_050, "12000.05")] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), expected);
        }
    }
}
