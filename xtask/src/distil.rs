//! botocore's JSON with all taken away that no call needs: prose, patterns, examples, shapes that nothing reaches.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::{botocore, constraints, container};

/// What goes wrong here is told as text.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const METADATA: &[&str] = &[
    "apiVersion",
    "awsQueryCompatible",
    "endpointPrefix",
    "jsonVersion",
    "protocol",
    "serviceId",
    "signatureVersion",
    "signingName",
    "targetPrefix",
];
const OPERATION: &[&str] = &[
    "auth",
    "authtype",
    "endpoint",
    "errors",
    "http",
    "httpChecksum",
    "httpChecksumRequired",
    "idempotent",
    "input",
    "operationContextParams",
    "output",
    "readonly",
    "staticContextParams",
];
const SHAPE: &[&str] = &[
    "document",
    "error",
    "eventstream",
    "exception",
    "fault",
    "flattened",
    "key",
    "locationName",
    "member",
    "members",
    "payload",
    "required",
    "retryable",
    "streaming",
    "timestampFormat",
    "type",
    "union",
    "value",
    "xmlNamespace",
];
const REFERENCE: &[&str] = &[
    "contextParam",
    "flattened",
    "hostLabel",
    "idempotencyToken",
    "jsonvalue",
    "location",
    "locationName",
    "queryName",
    "resultWrapper",
    "shape",
    "streaming",
    "timestampFormat",
    "xmlAttribute",
    "xmlNamespace",
];
/// What this product speaks, best first.
const PROTOCOLS: &[&str] = &["json", "rest-json", "rest-xml", "query", "ec2"];

/// One service: botocore's folder, its model and its endpoint rules.
pub struct Service {
    pub folder: String,
    pub model: Value,
    pub endpoints: Value,
}

/// Writes the two files of `crates/aws/models`, and what our own API demands of requests.
pub fn write(data: &Path) -> Result<()> {
    let services = services(data)?;
    let models = container::models(&services)?;
    let endpoints = container::endpoints(&services, &read(&data.join("partitions.json"))?)?;
    let folder = models_folder();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("models.zst"), &models)?;
    std::fs::write(folder.join("endpoints.zst"), &endpoints)?;
    std::fs::write(constraints::file(), constraints::text(data)?)?;
    println!("{} services; models.zst {} bytes, endpoints.zst {} bytes", services.len(), models.len(), endpoints.len());
    Ok(())
}

/// The folder of the distilled files.
pub fn models_folder() -> PathBuf {
    botocore::root().join("crates/aws/models")
}

/// All services, in the order of their folders, each in its newest version.
pub fn services(data: &Path) -> Result<Vec<Service>> {
    let mut services: Vec<Service> = Vec::new();
    let mut ids = BTreeSet::new();
    for folder in folders(data)? {
        let Some(version) = folders(&data.join(&folder))?.pop() else { continue };
        let path = data.join(&folder).join(version);
        let model = distil(&read(&path.join("service-2.json.gz"))?);
        // Two folders hold the same API of Pinpoint SMS and Voice: the first one stands.
        if ids.insert(model.pointer("/metadata/serviceId").map(Value::to_string)) {
            let endpoints = without_documentation(read(&path.join("endpoint-rule-set-1.json.gz"))?);
            services.push(Service { folder, model, endpoints });
        }
    }
    Ok(services)
}

fn folders(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Reads JSON, gzipped or not.
pub fn read(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut text = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text)?;
    } else {
        text = bytes;
    }
    Ok(serde_json::from_slice(&text)?)
}

fn distil(model: &Value) -> Value {
    let mut metadata = keep(&model["metadata"], METADATA);
    metadata["protocol"] = protocol(&model["metadata"]);
    let operations = map(&model["operations"], operation);
    let mut reached = BTreeSet::new();
    for operation in model["operations"].as_object().into_iter().flat_map(Map::values) {
        let errors = operation["errors"].as_array().into_iter().flatten();
        for reference in [&operation["input"], &operation["output"]].into_iter().chain(errors) {
            reach(reference, &model["shapes"], &mut reached);
        }
    }
    let shapes = map(&model["shapes"], shape);
    let shapes = shapes.as_object().into_iter().flatten().filter(|(name, _)| reached.contains(name.as_str()));
    let shapes: Map<String, Value> = shapes.map(|(name, shape)| (name.clone(), shape.clone())).collect();
    json!({"metadata": metadata, "operations": operations, "shapes": shapes})
}

/// The best protocol that is spoken here; else the one that the service names, which is refused when it is called.
fn protocol(metadata: &Value) -> Value {
    let offered: Vec<&str> = metadata["protocols"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let best = PROTOCOLS.iter().find(|protocol| offered.contains(*protocol));
    best.map_or_else(|| metadata["protocol"].clone(), |protocol| json!(protocol))
}

fn operation(operation: &Value) -> Value {
    let mut kept = keep(operation, OPERATION);
    for direction in ["input", "output"] {
        if kept.get(direction).is_some() {
            kept[direction] = reference(&operation[direction]);
        }
    }
    if let Some(errors) = operation["errors"].as_array() {
        kept["errors"] = errors.iter().map(|error| error["shape"].clone()).collect();
    }
    kept
}

fn shape(shape: &Value) -> Value {
    let mut kept = keep(shape, SHAPE);
    if kept.get("members").is_some() {
        kept["members"] = map(&shape["members"], reference);
    }
    for part in ["member", "key", "value"] {
        if kept.get(part).is_some() {
            kept[part] = reference(&shape[part]);
        }
    }
    kept
}

fn reference(reference: &Value) -> Value {
    keep(reference, REFERENCE)
}

pub fn reach(reference: &Value, shapes: &Value, reached: &mut BTreeSet<String>) {
    let Some(name) = reference["shape"].as_str() else { return };
    if reached.insert(name.to_owned()) {
        let shape = &shapes[name];
        for member in shape["members"].as_object().into_iter().flat_map(Map::values) {
            reach(member, shapes, reached);
        }
        for part in ["member", "key", "value"] {
            reach(&shape[part], shapes, reached);
        }
    }
}

pub fn keep(value: &Value, keys: &[&str]) -> Value {
    let entries = value.as_object().into_iter().flatten().filter(|(key, _)| keys.contains(&key.as_str()));
    Value::Object(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
}

pub fn map(value: &Value, mut each: impl FnMut(&Value) -> Value) -> Value {
    Value::Object(value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), each(value))).collect())
}

fn without_documentation(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let entries = entries.into_iter().filter(|(key, _)| key != "documentation");
            Value::Object(entries.map(|(key, value)| (key, without_documentation(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_documentation).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_files_are_those_of_the_pinned_botocore() {
        let Some(data) = botocore::present() else {
            println!(
                "skipped: botocore {} is neither installed nor fetched (cargo run -p xtask -- distil)",
                botocore::VERSION
            );
            return;
        };
        let expected = services(&data).unwrap();
        let models = std::fs::read(models_folder().join("models.zst")).unwrap();
        let committed = container::read_models(&models).unwrap();
        assert_eq!(committed.len(), expected.len());
        for (service, text) in expected.iter().zip(committed) {
            assert_eq!(service.model.to_string(), text, "{} differs: run the distil task again", service.folder);
        }
        let endpoints = std::fs::read(models_folder().join("endpoints.zst")).unwrap();
        let endpoints = String::from_utf8(zstd::decode_all(endpoints.as_slice()).unwrap()).unwrap();
        let partitions = read(&data.join("partitions.json")).unwrap();
        assert_eq!(endpoints, container::endpoint_lines(&expected, &partitions), "endpoints.zst differs");
        let committed = std::fs::read_to_string(constraints::file()).unwrap();
        assert_eq!(committed, constraints::text(&data).unwrap(), "constraints.json differs");
    }
}
