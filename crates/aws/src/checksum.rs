//! The checksums that some operations demand of a body, S3's above all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::Value;
use sha1::Sha1;
use sha2::Sha256;

use crate::model::Operation;
use crate::protocol::Request;

/// Adds the checksum header where one is demanded, or named by the parameters, and the caller gave none.
pub(crate) fn add(operation: &Operation, parameters: &Value, request: &mut Request) -> Result<(), String> {
    let given = |name: &str| request.headers.iter().any(|(header, _)| header.to_ascii_lowercase().starts_with(name));
    if given("content-md5") || given("x-amz-checksum-") {
        return Ok(());
    }
    let member = operation.http_checksum.as_ref().and_then(|checksum| checksum.request_algorithm_member.as_deref());
    let chosen = member.and_then(|member| parameters.get(member)).and_then(Value::as_str);
    let required = operation.http_checksum.as_ref().is_some_and(|checksum| checksum.request_checksum_required);
    if let Some(algorithm) = chosen.or(required.then_some("CRC32")) {
        let name = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        request.headers.push((name, checksum(algorithm, &request.body)?));
        if chosen.is_none() && member.is_some() {
            request.headers.push(("x-amz-sdk-checksum-algorithm".to_owned(), algorithm.to_owned()));
        }
    } else if operation.http_checksum_required {
        request.headers.push(("content-md5".to_owned(), STANDARD.encode(Md5::digest(&request.body))));
    }
    Ok(())
}

fn checksum(algorithm: &str, body: &[u8]) -> Result<String, String> {
    Ok(match algorithm {
        "CRC32" => STANDARD.encode(crc32fast::hash(body).to_be_bytes()),
        "SHA1" => STANDARD.encode(Sha1::digest(body)),
        "SHA256" => STANDARD.encode(Sha256::digest(body)),
        other => {
            return Err(format!(
                "the checksum algorithm `{other}` is not supported; leave it out, or name CRC32, SHA1 or SHA256"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums() {
        for (algorithm, expected) in [
            ("CRC32", "NhCmhg=="),
            ("SHA1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("SHA256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ] {
            assert_eq!(checksum(algorithm, b"hello").unwrap(), expected);
        }
        assert!(checksum("CRC64NVME", b"").unwrap_err().contains("CRC64NVME"));
    }
}
