//! Names of errors in Retry and Catch that no error ever has.

use super::{Linter, Place};
use crate::{Kind, nearest::nearest};

/// Step Functions' own errors that a retrier or catcher can name.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>.
const KNOWN: [&str; 17] = [
    "States.ALL",
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
];

const CODE: &str = "ERROR_NEVER_MATCHES";

impl Linter<'_> {
    pub(super) fn errors(&mut self, place: &Place<'_>) {
        let retried = place.state.retry.iter().map(|retrier| &retrier.error_equals);
        self.error_lists(place, "Retry", retried.collect());
        let caught = place.state.catch.iter().map(|catcher| &catcher.error_equals);
        self.error_lists(place, "Catch", caught.collect());
    }

    fn error_lists(&mut self, place: &Place<'_>, field: &str, lists: Vec<&Vec<String>>) {
        let mut before: Vec<&String> = Vec::new();
        for (index, names) in lists.into_iter().enumerate() {
            for (at, name) in names.iter().enumerate() {
                let pointer = format!("{}/{field}/{index}/ErrorEquals/{at}", place.pointer);
                if before.contains(&name) {
                    let message = format!("`{name}` never comes this far: an element before it takes it");
                    self.warn(CODE, &pointer, message, "take it out of one of the two");
                } else {
                    self.error_name(place, name, &pointer);
                }
            }
            before.extend(names);
        }
    }

    fn error_name(&mut self, place: &Place<'_>, name: &str, pointer: &str) {
        if name == "States.Runtime" {
            let message = "`States.Runtime` is never retried or caught: it ends the execution".to_owned();
            return self.warn(CODE, pointer, message, "see that the state gets what its paths name");
        }
        if name == "States.NoChoiceMatched" && matches!(place.state.kind, Kind::Task(_)) {
            let message = "a Task never fails with `States.NoChoiceMatched`: a Choice does".to_owned();
            return self.warn(CODE, pointer, message, "give the Choice a `Default`");
        }
        let own = name.split_once('.').is_some_and(|(prefix, _)| nearest(prefix, ["States"]).is_some());
        // An HTTP Task's error has the status in its name: `States.Http.StatusCode.429`.
        if !own || KNOWN.contains(&name) || name.starts_with("States.Http.StatusCode.") {
            return;
        }
        let message = format!("there is no error `{name}`, so that this never matches");
        let help = match nearest(name, KNOWN) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "names that begin with `States.` are those of Step Functions alone".to_owned(),
        };
        self.warn(CODE, pointer, message, &help);
    }
}
