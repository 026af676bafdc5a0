//! Taking in an event: it, the findings and the executions to start, in one write.

use detection::{Event, Finding};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{events, executions, findings, natural, state_machines};
use crate::{
    engine::names,
    ports::{ExecutionKind, NewExecution, Receipt, Responder, Standing, StoreError},
};

/// Within the writer's transaction; numbers and ARNs of the executions that were begun.
pub(super) fn receive(
    connection: &Connection,
    event: &Event,
    responders: &[Responder],
    now: Timestamp,
) -> Result<(Receipt, Vec<(u64, String)>), StoreError> {
    let mut receipt = Receipt { duplicate: false, started: 0, absorbed: 0 };
    let mut started = Vec::new();
    if !events::insert(connection, event, now)? {
        return Ok((Receipt { duplicate: true, ..receipt }, started));
    }
    for responder in responders {
        match respond(connection, responder, now)? {
            Some(begun) => {
                receipt.started += 1;
                started.push(begun);
            }
            None => receipt.absorbed += 1,
        }
    }
    Ok((receipt, started))
}

fn respond(
    connection: &Connection,
    responder: &Responder,
    now: Timestamp,
) -> Result<Option<(u64, String)>, StoreError> {
    let sighting = &responder.sighting;
    let id = Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource);
    let there = findings::find(connection, &id)?;
    let sighted = Finding::sight(there.as_ref(), sighting, now);
    findings::save(connection, &sighted.finding, there.as_ref())?;
    let Some(response) = sighted.start else { return Ok(None) };
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
    let number = executions::insert(connection, &new, &Standing::Working)?;
    // One of this name that is there already is at work, or has been.
    number.map(|number| Ok((natural(number)?, arn))).transpose()
}
