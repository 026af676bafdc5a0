//! Expressions that can't work, and the token that is not handed on.

use jiff::Timestamp;
use query::{Moment, Scope, TemplateExpression};
use serde_json::{Map, json};

use super::{Linter, Place, templates};
use crate::Kind;

/// How many expressions of a definition are tried: each takes a few milliseconds at most, see
/// [`query::jsonata::Expression::failure_at_once`].
const MAX_EVALUATED: usize = 100;

impl Linter<'_> {
    pub(super) fn expressions(&mut self, place: &Place<'_>) {
        for (field, template) in templates(place.state) {
            for expression in template.expressions() {
                if let Some((text, reason)) = self.always_fails(&expression) {
                    let message = format!("`{text}` fails whatever the input is: {reason}");
                    let help = "see which arguments the function takes";
                    self.warn("EXPRESSION_ALWAYS_FAILS", &format!("{}/{field}", place.pointer), message, help);
                }
            }
        }
        self.token_not_passed(place);
    }

    /// A Task that waits for its token, and gives it to nobody.
    fn token_not_passed(&mut self, place: &Place<'_>) {
        let Kind::Task(task) = &place.state.kind else { return };
        if !task.resource.ends_with(".waitForTaskToken") {
            return;
        }
        let payload = place.state.parameters.as_ref().or(place.state.arguments.as_ref());
        let written = payload.map(|payload| payload.source().to_string()).unwrap_or_default();
        // All of the context, or all of `$$`, holds the token too.
        let passes = ["Task.Token", "Task['Token", "$states.context\"", "$states.context %", "\"$$\""];
        let whole_context = written.contains("$states.context") && !written.contains("$states.context.");
        if !whole_context && !passes.iter().any(|part| written.contains(part)) {
            let message = "the Task waits for its token, and tells it to nobody".to_owned();
            let help = "hand on `$$.Task.Token` (JSONPath) or `$states.context.Task.Token` (JSONata)";
            self.warn("TOKEN_NOT_PASSED", &format!("{}/Resource", place.pointer), message, help);
        }
    }

    /// An expression that reads nothing from outside, and fails by itself: what it is and why it does.
    fn always_fails(&mut self, expression: &TemplateExpression<'_>) -> Option<(String, String)> {
        match expression {
            TemplateExpression::Call(call) if call.paths().is_empty() => {}
            TemplateExpression::Call(_) | TemplateExpression::Path(_) => return None,
            TemplateExpression::Jsonata(expression) => {
                let read = expression.references();
                let alone = read.variables.is_empty() && read.states.is_empty() && read.paths.is_empty() && !read.root;
                // What names `$states` as a whole reads it all the same, and some are to fail.
                let others = ["$states", "$error", "$assert"];
                if !alone || others.iter().any(|name| expression.as_str().contains(name)) {
                    return None;
                }
            }
        }
        self.evaluated = self.evaluated.checked_add(1).filter(|evaluated| *evaluated <= MAX_EVALUATED)?;
        let empty = json!({});
        let variables = Map::new();
        let moment = Moment { now: Timestamp::UNIX_EPOCH, seed: [0; 32] };
        let scope = Scope {
            root: &empty,
            input: &empty,
            result: None,
            error_output: None,
            context: &empty,
            variables: &variables,
            moment: &moment,
        };
        let error = match expression {
            TemplateExpression::Call(call) => call.evaluate(&scope).err(),
            TemplateExpression::Jsonata(expression) => expression.failure_at_once(&scope),
            TemplateExpression::Path(_) => None,
        }?;
        Some((error.expression, error.message))
    }
}
