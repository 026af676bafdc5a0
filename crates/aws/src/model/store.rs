//! The distilled models inside the binary: one service is inflated at a time, when it is first named.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::Service;
use crate::names::service_name;

const MODELS: &[u8] = include_bytes!("../../models/models.zst");
const ENDPOINTS: &[u8] = include_bytes!("../../models/endpoints.zst");

/// Services kept inflated; beyond it all are dropped and inflated again when named.
const LOADED_SERVICES: usize = 32;

#[derive(Deserialize)]
struct Header {
    dictionary: usize,
    services: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    folder: String,
    offset: usize,
    length: usize,
    size: usize,
}

struct Store {
    dictionary: &'static [u8],
    frames: &'static [u8],
    entries: BTreeMap<String, Entry>,
    loaded: Mutex<HashMap<String, Arc<Service>>>,
}

/// All services' names, as `aws-sdk` tasks name them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    store().entries.keys().map(String::as_str)
}

/// All services' ids, as AWS writes them: `S3 Control`.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    store().entries.values().map(|entry| entry.id.as_str())
}

/// The name here of a service that boto3 and the AWS CLI call differently: `logs` is `cloudwatchlogs`.
pub(crate) fn name_elsewhere(name: &str) -> Option<&'static str> {
    let found = store().entries.iter().find(|(_, entry)| entry.folder == name);
    found.map(|(name, _)| name.as_str())
}

/// The service of that name.
pub(crate) fn service(name: &str) -> Option<Arc<Service>> {
    let store = store();
    let mut loaded = store.loaded.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(service) = loaded.get(name) {
        return Some(service.clone());
    }
    let inflated = inflate(store, store.entries.get(name)?);
    let service = Arc::new(inflated.inspect_err(|error| tracing::error!(name, error, "model unreadable")).ok()?);
    if loaded.len() >= LOADED_SERVICES {
        loaded.clear();
    }
    loaded.insert(name.to_owned(), service.clone());
    Some(service)
}

/// The partitions of AWS and a service's endpoint rules.
pub(crate) fn endpoint_rules(service_id: &str) -> Option<(Value, Value)> {
    let text = String::from_utf8(zstd::decode_all(ENDPOINTS).ok()?).ok()?;
    let mut lines = text.lines();
    let partitions = serde_json::from_str(lines.next()?).ok()?;
    let rules = lines.find_map(|line| line.strip_prefix(service_id)?.strip_prefix('\t'))?;
    Some((partitions, serde_json::from_str(rules).ok()?))
}

/// The service, as if that protocol were its best.
#[cfg(test)]
pub(crate) fn speaking(name: &str, protocol: &str) -> Service {
    let mut service = inflate(store(), &store().entries[name]).unwrap();
    service.metadata.protocol = protocol.to_owned();
    service
}

#[expect(clippy::expect_used, reason = "the bytes are part of the binary, and a test reads all of them")]
fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| open(MODELS).expect("the models in this binary can be read"))
}

/// The file's layout is told in the xtask that writes it.
fn open(file: &'static [u8]) -> Option<Store> {
    let (length, rest) = file.split_first_chunk::<4>()?;
    let (header, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let header: Header = serde_json::from_slice(&zstd::decode_all(header).ok()?).ok()?;
    let (dictionary, frames) = rest.split_at_checked(header.dictionary)?;
    let entries = header.services.into_iter().map(|entry| (service_name(&entry.id), entry)).collect();
    Some(Store { dictionary, frames, entries, loaded: Mutex::default() })
}

fn inflate(store: &Store, entry: &Entry) -> Result<Service, String> {
    let frame =
        store.frames.get(entry.offset..).and_then(|rest| rest.get(..entry.length)).ok_or("beyond the file's end")?;
    let text = zstd::bulk::Decompressor::with_dictionary(store.dictionary)
        .and_then(|mut decompressor| decompressor.decompress(frame, entry.size))
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Node;

    #[test]
    fn every_service_can_be_read_and_every_reference_leads_somewhere() {
        let mut operations = 0;
        for name in names() {
            let service = inflate(store(), &store().entries[name]).unwrap_or_else(|error| panic!("{name}: {error}"));
            operations += service.operations.len();
            let resolved = |node: Node<'_>| {
                node.members().count() == node.shape.members.len()
                    && node.shape.member.is_some() == node.item().is_some()
                    && node.shape.key.is_some() == node.map_key().is_some()
                    && node.shape.value.is_some() == node.map_value().is_some()
            };
            for operation in service.operations.values() {
                for reference in [&operation.input, &operation.output].into_iter().flatten() {
                    assert!(resolved(service.node(Some(reference)).unwrap()), "{name}");
                }
            }
            for shape in service.shapes.values() {
                for reference in shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value) {
                    assert!(resolved(service.node(Some(reference)).unwrap()), "{name}");
                }
            }
            assert!(endpoint_rules_exist(&service.metadata.service_id), "{name}");
        }
        assert!(
            names().count() >= 438 && operations >= 19_700,
            "{} services, {operations} operations",
            names().count()
        );
    }

    fn endpoint_rules_exist(id: &str) -> bool {
        static TEXT: OnceLock<String> = OnceLock::new();
        let text = TEXT.get_or_init(|| String::from_utf8(zstd::decode_all(ENDPOINTS).unwrap()).unwrap());
        text.contains(&format!("\n{id}\t{{"))
    }
}
