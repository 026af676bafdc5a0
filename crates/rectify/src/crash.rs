//! Dying at an exact step, for the tests of crashes; only in debug builds.
//!
//! `RECTIFY_KILL_AT=before:N` kills the process by SIGKILL right before its N-th commit: the effects of all earlier steps may have
//! happened, the N-th has not. `after:N` kills it right after: the step is durable, and nobody has been told.

use std::{env, process::Command, thread};

use engine::sqlite::{CommitMoment, CommitObserver};

use crate::commands::Problem;

const VARIABLE: &str = "RECTIFY_KILL_AT";

/// Who kills this process, where the environment asks for it.
pub fn asked_for() -> Result<Option<CommitObserver>, Problem> {
    let Some(text) = env::var_os(VARIABLE) else { return Ok(None) };
    let text = text.to_string_lossy();
    let moment = match text.split_once(':').map(|(side, number)| (side, number.parse())) {
        Some(("before", Ok(number))) => CommitMoment::Before(number),
        Some(("after", Ok(number))) => CommitMoment::After(number),
        _ => return Err(Problem(format!("{VARIABLE} is `{text}`: it takes before:N or after:N, N from 1"))),
    };
    Ok(Some(Box::new(move |now| {
        if now == moment {
            die(now);
        }
    })))
}

/// The signal comes from outside, since std sends none; until it is there, the writer's thread stays where it is.
fn die(moment: CommitMoment) {
    tracing::warn!(?moment, "dying, as {VARIABLE} asks for");
    let killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    tracing::error!(?killed, "`kill` did not kill this process");
    loop {
        thread::park();
    }
}
