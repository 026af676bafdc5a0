//! Taking in an event: it, the findings and the executions to start, in one write.

use detection::{Event, Finding};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{events, executions, findings, state_machines};
use crate::{
    engine::names,
    ports::{ExecutionKind, NewExecution, Receipt, Responder, Standing, StoreError},
};

/// What became of an event.
pub(super) struct Received {
    pub(super) receipt: Receipt,
    /// The ARNs of the executions that were begun.
    pub(super) started: Vec<String>,
    /// The guardrails of the findings that were opened.
    pub(super) opened: Vec<String>,
}

/// Within the writer's transaction.
pub(super) fn receive(
    connection: &Connection,
    event: &Event,
    responders: &[Responder],
    now: Timestamp,
) -> Result<Received, StoreError> {
    let mut receipt = Receipt { duplicate: false, started: 0, absorbed: 0 };
    let (mut started, mut opened) = (Vec::new(), Vec::new());
    if !events::insert(connection, event, now)? {
        return Ok(Received { receipt: Receipt { duplicate: true, ..receipt }, started, opened });
    }
    for responder in responders {
        let (is_new, begun) = respond(connection, responder, now)?;
        if is_new {
            opened.push(responder.sighting.guardrail.clone());
        }
        match begun {
            Some(arn) => {
                receipt.started += 1;
                started.push(arn);
            }
            None => receipt.absorbed += 1,
        }
    }
    Ok(Received { receipt, started, opened })
}

/// Whether the finding is new, and the ARN of the execution that was begun.
fn respond(
    connection: &Connection,
    responder: &Responder,
    now: Timestamp,
) -> Result<(bool, Option<String>), StoreError> {
    let sighting = &responder.sighting;
    let id = Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource);
    let there = findings::find(connection, &id)?;
    let sighted = Finding::sight(there.as_ref(), sighting, now);
    findings::save(connection, &sighted.finding, there.as_ref())?;
    let Some(response) = sighted.start else { return Ok((there.is_none(), None)) };
    let machine = state_machines::find(connection, &responder.state_machine_arn)?.ok_or_else(|| {
        StoreError::Damaged(format!(
            "the guardrail `{}` has no state machine `{}`: register it before its events",
            sighting.guardrail, responder.state_machine_arn
        ))
    })?;
    let arn = names::execution_arn(&machine.arn, &response.execution_name)
        .ok_or_else(|| StoreError::Damaged(format!("`{}` is no state machine's ARN", machine.arn)))?;
    let revision = state_machines::revision_hash(&machine);
    let new = NewExecution {
        arn: arn.clone(),
        name: response.execution_name,
        state_machine_arn: machine.arn,
        kind: ExecutionKind::Standard,
        version_arn: None,
        alias_arn: None,
        revision,
        definition: state_machines::hash_of(&machine.definition),
        role_arn: machine.role_arn,
        input: response.input,
        finding: Some(id),
        map_run: None,
        started_at: now,
    };
    executions::insert(connection, &new, &Standing::Working)?;
    Ok((there.is_none(), Some(arn)))
}
