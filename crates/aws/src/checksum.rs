//! The checksums of bodies that some operations demand or take, S3's above all.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use md5::{Digest, Md5};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use crate::model::{Operation, Service};
use crate::protocol::{Answer, Request};

/// What a body gets where nobody chose.
const DEFAULT: &str = "CRC32";
/// Those that are known here, the quickest first.
const ALGORITHMS: &[&str] = &["CRC64NVME", "CRC32C", "CRC32", "SHA1", "SHA256", "SHA512", "MD5"];

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// Adds the checksum header where one is demanded, named by the parameters, or (`always`) taken, and the caller gave none.
pub(crate) fn add(
    service: &Service,
    operation: &Operation,
    parameters: &Value,
    always: bool,
    request: &mut Request,
) -> Result<(), String> {
    // These say something of checksums and are none.
    let about = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
    let given = request.headers.iter().map(|(header, _)| header.to_ascii_lowercase()).any(|header| {
        header == "content-md5" || (header.starts_with("x-amz-checksum-") && !about.contains(&header.as_str()))
    });
    if given {
        return Ok(());
    }
    let wanted = operation.http_checksum.as_ref();
    let member = wanted.and_then(|checksum| checksum.request_algorithm_member.as_deref());
    let chosen = member.and_then(|member| parameters.get(member)).and_then(Value::as_str);
    let required =
        operation.http_checksum_required || wanted.is_some_and(|checksum| checksum.request_checksum_required);
    if let Some(algorithm) = chosen.or((required || (member.is_some() && always)).then_some(DEFAULT)) {
        let name = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        request.headers.push((name, checksum(algorithm, &request.body)?));
        let input = service.node(operation.input.as_ref());
        let header = member.and_then(|member| input?.member(member)?.location_name());
        if let (None, Some(header)) = (chosen, header) {
            request.headers.push((header.to_ascii_lowercase(), algorithm.to_owned()));
        }
    }
    Ok(())
}

/// Whether the answer's body is what its checksum header says, where it has one that the operation names and that is of the whole
/// body: `hash-3` is one of three parts.
pub(crate) fn verify(operation: &Operation, answer: &Answer<'_>) -> Result<(), String> {
    let named = operation.http_checksum.as_ref().map(|checksum| checksum.response_algorithms.as_slice());
    let known =
        ALGORITHMS.iter().filter(|algorithm| named.is_some_and(|named| named.iter().any(|name| name == *algorithm)));
    for algorithm in known {
        let name = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        let Some(told) = answer.header(&name).filter(|told| !told.contains('-')) else { continue };
        let found = checksum(algorithm, answer.body)?;
        return if found == told {
            Ok(())
        } else {
            Err(format!("the answer's body was damaged on its way: its {algorithm} checksum is {found}, not {told}"))
        };
    }
    Ok(())
}

fn checksum(algorithm: &str, body: &[u8]) -> Result<String, String> {
    Ok(match algorithm {
        "CRC32" => STANDARD.encode(CRC32.checksum(body).to_be_bytes()),
        "CRC32C" => STANDARD.encode(CRC32C.checksum(body).to_be_bytes()),
        "CRC64NVME" => STANDARD.encode(CRC64NVME.checksum(body).to_be_bytes()),
        "MD5" => STANDARD.encode(Md5::digest(body)),
        "SHA1" => STANDARD.encode(Sha1::digest(body)),
        "SHA256" => STANDARD.encode(Sha256::digest(body)),
        "SHA512" => STANDARD.encode(Sha512::digest(body)),
        other => {
            return Err(format!(
                "the checksum algorithm `{other}` is not supported; leave it out, or name {}",
                ALGORITHMS.join(", ")
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    #[test]
    fn checksums() {
        for (algorithm, expected) in [
            ("CRC32", "NhCmhg=="),
            ("CRC32C", "mnG7TA=="),
            ("CRC64NVME", "M3eFcAZSQlc="),
            ("SHA1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
            ("SHA256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ] {
            assert_eq!(checksum(algorithm, b"hello").unwrap(), expected, "{algorithm}");
        }
        assert!(checksum("XXHASH3", b"").unwrap_err().contains("XXHASH3"));
    }

    fn headers(service: &str, action: &str, parameters: Value, given: &[&str], always: bool) -> Vec<String> {
        let service = crate::model::service(service).unwrap();
        let (_, operation) = service.operation(action).unwrap();
        let headers = given.iter().map(|name| ((*name).to_owned(), "given".to_owned())).collect();
        let mut request = Request { body: b"hello".to_vec(), headers, ..Request::default() };
        add(&service, operation, &parameters, always, &mut request).unwrap();
        request.headers.into_iter().skip(given.len()).map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn who_gets_which() {
        let crc32 = ["x-amz-checksum-crc32: NhCmhg==", "x-amz-sdk-checksum-algorithm: CRC32"];
        assert_eq!(headers("s3", "putObject", json!({}), &[], true), crc32);
        assert_eq!(headers("s3", "putObject", json!({}), &[], false), [""; 0]);
        assert_eq!(
            headers(
                "s3",
                "putObject",
                json!({"ChecksumAlgorithm": "CRC64NVME"}),
                &["x-amz-sdk-checksum-algorithm"],
                false
            ),
            ["x-amz-checksum-crc64nvme: M3eFcAZSQlc="]
        );
        assert_eq!(headers("s3", "deleteObjects", json!({}), &[], false), crc32);
        assert_eq!(headers("s3", "putBucketPolicy", json!({}), &["Content-MD5"], true), [""; 0]);
        assert_eq!(headers("s3", "putObject", json!({}), &["x-amz-checksum-sha256"], true), [""; 0]);
        assert_eq!(headers("s3", "getObject", json!({}), &[], true), [""; 0]);
        assert_eq!(headers("s3control", "createAccessPoint", json!({}), &[], true), [""; 0]);
        assert_eq!(headers("s3control", "putBucketPolicy", json!({}), &[], true), ["x-amz-checksum-crc32: NhCmhg=="]);
    }

    #[test]
    fn answers_are_held_to_their_checksums() {
        let service = crate::model::service("s3").unwrap();
        let (_, operation) = service.operation("getObject").unwrap();
        for (name, told, fits) in [
            ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc=", true),
            ("x-amz-checksum-crc32", "NhCmhg==", true),
            ("x-amz-checksum-crc32", "AAAAAA==", false),
            ("x-amz-checksum-crc32", "AAAAAA==-3", true),
            ("x-amz-checksum-later", "AAAAAA==", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, told.parse().unwrap());
            let answer = Answer { status: 200, headers: &headers, body: b"hello" };
            assert_eq!(verify(operation, &answer).is_ok(), fits, "{name} {told}");
        }
    }
}
