//! Where in a machine a path is.

use asl::{Flow, Kind, State, StateMachine};

use crate::{Execution, path::PathId};

/// The states among which a path goes: the machine's own, a branch's, an iteration's.
pub(crate) fn of_path<'machine>(
    machine: &'machine StateMachine,
    execution: &Execution,
    path: PathId,
) -> Option<&'machine Flow> {
    let Some((parent, index)) = execution.paths.get(&path)?.parent else { return Some(&machine.flow) };
    match &state_of_path(machine, execution, parent)?.kind {
        Kind::Parallel(parallel) => parallel.branches.get(usize::try_from(index).ok()?).map(AsRef::as_ref),
        Kind::Map(map) => Some(&map.processor),
        _ => None,
    }
}

/// The state that a path is in.
pub(crate) fn state_of_path<'machine>(
    machine: &'machine StateMachine,
    execution: &Execution,
    path: PathId,
) -> Option<&'machine State> {
    let name = &execution.paths.get(&path)?.position.as_ref()?.name;
    of_path(machine, execution, path)?.states.get(name).map(AsRef::as_ref)
}
