//! The two files: `models.zst`, from which one service can be inflated without the others, and `endpoints.zst`.
//!
//! `models.zst` is: the header's length (u32, little endian), the header (zstd of JSON), the dictionary, one zstd frame a service.
//! `endpoints.zst` is one zstd frame of lines: partitions, then `serviceId TAB rule set` in the order of the models.

use serde_json::{Value, json};

use crate::botocore::VERSION;
use crate::distil::{Result, Service};

const LEVEL: i32 = 19;
const DICTIONARY_BYTES: usize = 110 * 1024;

/// The bytes of `models.zst`.
pub fn models(services: &[Service]) -> Result<Vec<u8>> {
    let texts: Vec<String> = services.iter().map(|service| service.model.to_string()).collect();
    let dictionary = zstd::dict::from_samples(&texts, DICTIONARY_BYTES)?;
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, &dictionary)?;
    let mut frames = Vec::new();
    let mut index = Vec::new();
    for (service, text) in services.iter().zip(&texts) {
        let frame = compressor.compress(text.as_bytes())?;
        index.push(json!({
            "id": service.model["metadata"]["serviceId"],
            "folder": service.folder,
            "offset": frames.len(),
            "length": frame.len(),
            "size": text.len(),
        }));
        frames.extend(frame);
    }
    let header = json!({"botocore": VERSION, "dictionary": dictionary.len(), "services": index}).to_string();
    let header = zstd::encode_all(header.as_bytes(), LEVEL)?;
    let mut file = u32::try_from(header.len())?.to_le_bytes().to_vec();
    for part in [header, dictionary, frames] {
        file.extend(part);
    }
    Ok(file)
}

/// The bytes of `endpoints.zst`.
pub fn endpoints(services: &[Service], partitions: &Value) -> Result<Vec<u8>> {
    Ok(zstd::encode_all(endpoint_lines(services, partitions).as_bytes(), LEVEL)?)
}

/// What `endpoints.zst` inflates to.
pub fn endpoint_lines(services: &[Service], partitions: &Value) -> String {
    let mut lines = format!("{partitions}\n");
    for service in services {
        let id = service.model["metadata"]["serviceId"].as_str().unwrap_or_default();
        lines.push_str(&format!("{id}\t{}\n", service.endpoints));
    }
    lines
}

/// The text of every service in `models.zst`.
#[cfg(test)]
pub fn read_models(file: &[u8]) -> Result<Vec<String>> {
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default();
    let (length, rest) = file.split_at(4);
    let (header, rest) = rest.split_at(usize::try_from(u32::from_le_bytes(length.try_into()?))?);
    let header: Value = serde_json::from_slice(&zstd::decode_all(header)?)?;
    let (dictionary, frames) = rest.split_at(number(&header["dictionary"]));
    let mut decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary)?;
    let mut texts = Vec::new();
    for service in header["services"].as_array().into_iter().flatten() {
        let start = number(&service["offset"]);
        let frame = &frames[start..start + number(&service["length"])];
        texts.push(String::from_utf8(decompressor.decompress(frame, number(&service["size"]))?)?);
    }
    Ok(texts)
}
