//! Taking in an event: it, the findings and the executions to start, in one write.

use detection::{Event, Finding, WorkflowStatus};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{concurrency, evaluations, events, exceptions, executions, findings, natural, state_machines};
use crate::{
    engine::names,
    ports::{ExecutionKind, NewExecution, PlaybookStart, Reactions, Receipt, Responder, Standing, StoreError},
};

/// What became of an event.
pub(super) struct Received {
    pub(super) receipt: Receipt,
    /// Numbers and ARNs of the executions that were begun and have something to do.
    pub(super) started: Vec<(u64, String)>,
    /// The guardrails of the findings that were opened.
    pub(super) opened: Vec<String>,
}

/// Within the writer's transaction.
pub(super) fn receive(
    connection: &Connection,
    event: &Event,
    reactions: &Reactions,
    now: Timestamp,
) -> Result<Received, StoreError> {
    let mut receipt = Receipt { duplicate: false, started: 0, absorbed: 0 };
    let (mut started, mut opened) = (Vec::new(), Vec::new());
    if !events::insert(connection, event, now)? {
        return Ok(Received { receipt: Receipt { duplicate: true, ..receipt }, started, opened });
    }
    let mut begun = Vec::new();
    for responder in &reactions.responders {
        let responded = respond(connection, event, responder, now)?;
        begun.extend(responded.begun);
        opened.extend(responded.is_new.then(|| responder.sighting.guardrail.clone()));
        match responded.started {
            Some(execution) => {
                receipt.started += 1;
                started.push(execution);
            }
            None => receipt.absorbed += 1,
        }
    }
    for playbook in &reactions.playbooks {
        let by: Vec<&String> = playbook.findings.iter().filter(|id| begun.contains(id)).collect();
        if playbook.findings.is_empty() || !by.is_empty() {
            receipt.started += 1;
            started.extend(start(connection, playbook, now)?);
            by.into_iter().try_for_each(|finding| note(connection, finding, playbook, event, now))?;
        }
    }
    Ok(Received { receipt, started, opened })
}

/// What a sighting led to.
struct Responded {
    /// The finding is new.
    is_new: bool,
    /// The number and the ARN of the response that was begun.
    started: Option<(u64, String)>,
    /// The id of a rule's finding that begins an occurrence, unless an exception leaves it alone.
    begun: Option<String>,
}

fn respond(
    connection: &Connection,
    event: &Event,
    responder: &Responder,
    now: Timestamp,
) -> Result<Responded, StoreError> {
    let sighting = &responder.sighting;
    let id = Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource);
    let there = findings::find(connection, &id)?;
    let sighted = match &sighting.rule {
        None => Finding::sight(there.as_ref(), sighting, now),
        Some(rule) => {
            let exceptions = exceptions::in_force(connection, &sighting.guardrail, &sighting.account, now)?;
            Finding::matched(there.as_ref(), sighting, rule, &exceptions, now)
        }
    };
    findings::save(connection, &sighted.finding, there.as_ref())?;
    evaluations::keep(connection, event, &sighted.finding, now)?;
    let is_new = there.is_none();
    let is_begun = sighting.rule.is_some()
        && sighted.finding.occurrence != there.map_or(0, |there| there.occurrence)
        && sighted.finding.status != WorkflowStatus::Suppressed;
    let begun = is_begun.then(|| id.clone());
    let Some(response) = sighted.start else { return Ok(Responded { is_new, started: None, begun }) };
    let whose = format!("guardrail `{}`", sighting.guardrail);
    let machine = (responder.state_machine_arn.as_str(), whose.as_str());
    let new = new_execution(connection, machine, response.execution_name, response.input, now)?;
    let new = NewExecution { finding: Some(id), ..new };
    let number = executions::insert(connection, &new, &Standing::Working)?;
    // One of this name that is there already is at work, or has been.
    let started = number.map(|number| natural(number).map(|number| (number, new.arn))).transpose()?;
    Ok(Responded { is_new, started, begun })
}

/// Notes on a rule's finding that it starts a playbook.
fn note(
    connection: &Connection,
    finding: &str,
    playbook: &PlaybookStart,
    event: &Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(there) = findings::find(connection, finding)? else { return Ok(()) };
    let execution = names::execution_arn(&playbook.state_machine_arn, &playbook.execution_name).unwrap_or_default();
    let noted = there.playbook_started(&playbook.playbook, &execution, event.identity(), now);
    findings::save(connection, &noted, Some(&there))
}

/// Starts a playbook, now or when there is room for it; its number and ARN if that is now. One that was started before stays as it is.
pub(super) fn start(
    connection: &Connection,
    playbook: &PlaybookStart,
    now: Timestamp,
) -> Result<Option<(u64, String)>, StoreError> {
    let PlaybookStart { playbook: id, state_machine_arn, execution_name, input, .. } = playbook;
    let whose = format!("playbook `{id}`");
    let machine = (state_machine_arn.as_str(), whose.as_str());
    let new = new_execution(connection, machine, execution_name.clone(), input.clone(), now)?;
    let is_admitted = concurrency::has_room(connection, id)?;
    let standing = if is_admitted { Standing::Working } else { Standing::Waiting { next_timer_at: None } };
    let Some(execution) = executions::insert(connection, &new, &standing)? else { return Ok(None) };
    concurrency::add(connection, execution, id, is_admitted)?;
    Ok(if is_admitted { Some((natural(execution)?, new.arn)) } else { None })
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
