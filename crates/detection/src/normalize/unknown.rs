//! What to say of an object that is nothing we know.

use serde_json::Value;

/// How many characters of a value a reason repeats.
const SHOWN_CHARACTERS: usize = 60;
/// How many fields of an object a reason names.
const SHOWN_FIELDS: usize = 5;

const EXPECTED: &str = "expected an EventBridge event (`id`, `source`, `detail-type`, `account`, `region`, `time`, `detail`) or a CloudTrail record (`eventSource`, `eventName`, `eventID`)";

/// Why an object can't be read, and what to send instead where that can be guessed.
pub(super) fn reason(object: &Value) -> String {
    let has = |field: &str| object.get(field).is_some();
    if has("SchemaVersion") && has("ProductArn") {
        "this is a bare Security Hub finding: send it as Security Hub's own event, `Security Hub Findings - Imported`, which has it in `detail.findings`".to_owned()
    } else if has("DetailType") && has("Detail") {
        "this is an entry of PutEvents: send it with PutEvents, or as an event with `id`, `source`, `detail-type`, `account`, `region`, `time` and `detail`".to_owned()
    } else if has("configRuleName") && has("invokingEvent") {
        "this is AWS Config's call of a rule's Lambda function: send Config's own event, `Config Rules Compliance Change`".to_owned()
    } else if has("detail") {
        "this looks like an EventBridge event, but `source` and `detail-type` are missing".to_owned()
    } else {
        format!("this is no event that can be read: it has {}; {EXPECTED}", fields(object))
    }
}

/// A value, shortened.
pub(super) fn shown(value: &Value) -> String {
    let whole = value.to_string();
    let shown: String = whole.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < whole.len() { format!("{shown}…") } else { shown }
}

fn fields(object: &Value) -> String {
    let names: Vec<String> = object
        .as_object()
        .into_iter()
        .flat_map(|entries| entries.keys())
        .take(SHOWN_FIELDS)
        .map(|name| format!("`{}`", name.chars().take(SHOWN_CHARACTERS).collect::<String>()))
        .collect();
    match (object.as_object().map_or(0, serde_json::Map::len), names.len()) {
        (0, _) => "no field".to_owned(),
        (all, shown) if all > shown => format!("the fields {} and {} more", names.join(", "), all - shown),
        _ => format!("the fields {}", names.join(", ")),
    }
}
