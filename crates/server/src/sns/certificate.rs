//! The certificate that messages are signed with.
//!
//! SNS serves it alone, without the chain to its root. It is believed since it comes from SNS's own host by TLS, whose chain is
//! checked, and at a path that only SNS fills. Looked at are its key and from when to when it holds.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use x509_cert::{Certificate as X509, der::DecodePem as _};

use super::message::SignedMessage;

/// A certificate: its key, and from when to when it holds, in seconds since 1970.
#[derive(Debug)]
pub(super) struct Certificate {
    /// An RSA key as PKCS #1 has it.
    key: Vec<u8>,
    not_before: u64,
    not_after: u64,
}

impl Certificate {
    /// Reads a certificate in PEM.
    pub(super) fn read(pem: &[u8]) -> Result<Certificate, String> {
        let certificate = X509::from_pem(pem).map_err(|error| format!("its certificate can't be read: {error}"))?;
        let signed = certificate.tbs_certificate();
        Ok(Certificate {
            key: signed.subject_public_key_info().subject_public_key.raw_bytes().to_vec(),
            not_before: signed.validity().not_before.to_unix_duration().as_secs(),
            not_after: signed.validity().not_after.to_unix_duration().as_secs(),
        })
    }

    /// Whether the signature of a message is of this text and certificate.
    pub(super) fn check(&self, message: &SignedMessage, text: &str, now: Timestamp) -> Result<(), String> {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        if seconds < self.not_before || seconds > self.not_after {
            return Err("its certificate is not valid at this time".to_owned());
        }
        let algorithm = match message.signature_version.as_str() {
            "1" => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            "2" => &RSA_PKCS1_2048_8192_SHA256,
            other => return Err(format!("there is no `SignatureVersion` {other}")),
        };
        let wrong = || "its signature is not of this message".to_owned();
        let signature = STANDARD.decode(&message.signature).map_err(|_| wrong())?;
        UnparsedPublicKey::new(algorithm, &self.key).verify(text.as_bytes(), &signature).map_err(|_| wrong())
    }
}
