//! Taking in an event: it, the findings and the executions to start, in one write.

use detection::{Event, Finding};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{concurrency, events, executions, findings, state_machines};
use crate::{
    engine::names,
    ports::{ExecutionKind, NewExecution, PlaybookStart, Reactions, Receipt, Responder, Standing, StoreError},
};

/// Within the writer's transaction; the ARNs of the executions that were begun and have something to do.
pub(super) fn receive(
    connection: &Connection,
    event: &Event,
    reactions: &Reactions,
    now: Timestamp,
) -> Result<(Receipt, Vec<String>), StoreError> {
    let mut receipt = Receipt { duplicate: false, started: 0, absorbed: 0 };
    let mut started = Vec::new();
    if !events::insert(connection, event, now)? {
        return Ok((Receipt { duplicate: true, ..receipt }, started));
    }
    for responder in &reactions.responders {
        match respond(connection, responder, now)? {
            Some(arn) => {
                receipt.started += 1;
                started.push(arn);
            }
            None => receipt.absorbed += 1,
        }
    }
    for playbook in &reactions.playbooks {
        receipt.started += 1;
        started.extend(start(connection, playbook, now)?);
    }
    Ok((receipt, started))
}

fn respond(connection: &Connection, responder: &Responder, now: Timestamp) -> Result<Option<String>, StoreError> {
    let sighting = &responder.sighting;
    let id = Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource);
    let there = findings::find(connection, &id)?;
    let sighted = Finding::sight(there.as_ref(), sighting, now);
    findings::save(connection, &sighted.finding, there.as_ref())?;
    let Some(response) = sighted.start else { return Ok(None) };
    let whose = format!("guardrail `{}`", sighting.guardrail);
    let machine = (responder.state_machine_arn.as_str(), whose.as_str());
    let new = new_execution(connection, machine, response.execution_name, response.input, now)?;
    let new = NewExecution { finding: Some(id), ..new };
    executions::insert(connection, &new, &Standing::Working)?;
    Ok(Some(new.arn))
}

/// Starts a playbook, now or when there is room for it; its ARN if that is now. One that was started before stays as it is.
pub(super) fn start(
    connection: &Connection,
    playbook: &PlaybookStart,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let PlaybookStart { playbook: id, state_machine_arn, execution_name, input } = playbook;
    let whose = format!("playbook `{id}`");
    let machine = (state_machine_arn.as_str(), whose.as_str());
    let new = new_execution(connection, machine, execution_name.clone(), input.clone(), now)?;
    let is_admitted = concurrency::has_room(connection, id)?;
    let standing = if is_admitted { Standing::Working } else { Standing::Waiting { next_timer_at: None } };
    let Some(execution) = executions::insert(connection, &new, &standing)? else { return Ok(None) };
    concurrency::add(connection, execution, id, is_admitted)?;
    Ok(is_admitted.then_some(new.arn))
}

/// An execution of a machine, given with whose it is.
fn new_execution(
    connection: &Connection,
    (state_machine_arn, whose): (&str, &str),
    name: String,
    input: String,
    now: Timestamp,
) -> Result<NewExecution, StoreError> {
    let machine = state_machines::find(connection, state_machine_arn)?.ok_or_else(|| {
        StoreError::Damaged(format!(
            "the {whose} has no state machine `{state_machine_arn}`: register it before its events"
        ))
    })?;
    let arn = names::execution_arn(&machine.arn, &name)
        .ok_or_else(|| StoreError::Damaged(format!("`{}` is no state machine's ARN", machine.arn)))?;
    let revision = state_machines::revision_hash(&machine);
    Ok(NewExecution {
        arn,
        name,
        state_machine_arn: machine.arn,
        kind: ExecutionKind::Standard,
        version_arn: None,
        alias_arn: None,
        revision,
        definition: state_machines::hash_of(&machine.definition),
        role_arn: machine.role_arn,
        input,
        finding: None,
        map_run: None,
        started_at: now,
    })
}
