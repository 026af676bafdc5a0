//! What the Step Functions API demands of its requests: botocore's model with all taken away but types and constraints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{
    botocore,
    distil::{Result, keep, map, reach, read},
};

const SHAPE: &[&str] =
    &["enum", "key", "max", "member", "members", "min", "pattern", "required", "sensitive", "type", "value"];

/// The committed file.
pub fn file() -> PathBuf {
    botocore::root().join("crates/server/src/step_functions/constraints.json")
}

/// Its text: `{"operations": {name: shape}, "shapes": {name: {…}}}`, a shape a line.
pub fn text(data: &Path) -> Result<String> {
    let model = read(&data.join("stepfunctions/2016-11-23/service-2.json.gz"))?;
    let mut reached = BTreeSet::new();
    let operations = map(&model["operations"], |operation| {
        reach(&operation["input"], &model["shapes"], &mut reached);
        operation["input"]["shape"].clone()
    });
    let mut lines = Vec::new();
    for name in &reached {
        lines.push(format!("{}: {}", json!(name), shape(&model["shapes"][name])));
    }
    Ok(format!("{{\"operations\": {operations},\n\"shapes\": {{\n{}\n}}}}\n", lines.join(",\n")))
}

fn shape(shape: &Value) -> Value {
    let mut kept = keep(shape, SHAPE);
    if let Some(members) = shape["members"].as_object() {
        kept["members"] =
            members.iter().map(|(name, member)| (name.clone(), member["shape"].clone())).collect::<Map<_, _>>().into();
    }
    for part in ["member", "key", "value"] {
        if kept.get(part).is_some() {
            kept[part] = shape[part]["shape"].clone();
        }
    }
    kept
}
