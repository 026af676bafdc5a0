//! Tasks that wait where nothing can: in the Express child executions of a distributed Map.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html>.

use super::{Linter, inner_flows, state_pointer};
use crate::{
    Flow, Kind,
    parse::{AnyResource, ExpressResources, Resources},
    state::ProcessorMode,
};

impl Linter<'_> {
    /// `express`: whether the flow runs in an Express execution.
    pub(super) fn express_children(&mut self, flow: &Flow, pointer: &str, express: bool) {
        for state in flow.states.values() {
            let pointer = state_pointer(pointer, &state.name);
            let inside = match &state.kind {
                Kind::Map(map) if map.mode == ProcessorMode::Distributed => map.run.is_express,
                _ => express,
            };
            for (flow, pointer) in inner_flows(state, &pointer) {
                self.express_children(flow, &pointer, inside);
            }
            let Kind::Task(task) = &state.kind else { continue };
            if express && ExpressResources(&AnyResource).check(&task.resource).is_err() {
                let message = format!("`{}` waits, and the Map's child executions are Express ones", task.resource);
                let help = "set `ExecutionType` of the Map to `STANDARD`, or call it without waiting";
                self.warn("EXPRESS_CHILD_WAITS", &format!("{pointer}/Resource"), message, help);
            }
        }
    }
}
