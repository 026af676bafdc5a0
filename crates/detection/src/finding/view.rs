//! A finding as people see it: without task tokens.

use serde_json::{Map, Value, json};

use super::Finding;

impl Finding {
    /// One line of a list: `{id, guardrail, account, region, resource, severity, status, compliance, stage}`.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id,
            "guardrail": self.guardrail,
            "account": self.account,
            "region": self.region,
            "resource": self.resource,
            "severity": self.severity,
            "status": self.status,
            "compliance": self.compliance,
            "stage": self.stage,
        })
    }

    /// All of it: the fields of [`view`](Finding::view), then `milliseconds: {noticed, told, fixed, proved}` from the event to what
    /// became of the newest occurrence, then the other fields of [`Finding`] as they are kept, less task tokens.
    pub fn show(&self) -> Value {
        let mut shown = match self.view() {
            Value::Object(view) => view,
            _ => Map::new(),
        };
        let milliseconds = self.current().into_iter().flat_map(|occurrence| occurrence.milliseconds());
        let milliseconds = milliseconds.map(|(step, time)| (step.to_owned(), Value::from(time))).collect();
        shown.insert("milliseconds".to_owned(), Value::Object(milliseconds));
        if let Ok(Value::Object(mut kept)) = serde_json::to_value(self) {
            hide_tokens(&mut kept);
            for (name, value) in kept {
                shown.entry(name).or_insert(value);
            }
        }
        Value::Object(shown)
    }
}

fn hide_tokens(kept: &mut Map<String, Value>) {
    let occurrences = kept.get_mut("occurrences").and_then(Value::as_array_mut).into_iter().flatten();
    for question in occurrences.filter_map(|occurrence| occurrence.get_mut("question")?.as_object_mut()) {
        question.remove("task_token");
    }
}
