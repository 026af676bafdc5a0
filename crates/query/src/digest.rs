//! Hashes, for `States.Hash` and `$hash`.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The hash of `data` in hexadecimal, or `None` where there is no such algorithm.
pub fn hash(algorithm: &str, data: &[u8]) -> Option<String> {
    match algorithm {
        "MD5" => Some(hexadecimal::<Md5>(data)),
        "SHA-1" => Some(hexadecimal::<Sha1>(data)),
        "SHA-256" => Some(hexadecimal::<Sha256>(data)),
        "SHA-384" => Some(hexadecimal::<Sha384>(data)),
        "SHA-512" => Some(hexadecimal::<Sha512>(data)),
        _ => None,
    }
}

/// What [`hash`] knows, for messages.
pub const ALGORITHMS: &str = "MD5, SHA-1, SHA-256, SHA-384, SHA-512";

fn hexadecimal<D: Digest>(data: &[u8]) -> String {
    D::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}
