//! Who gets in: the server's own key pair for SigV4, an API key, and a token for who watches.
//!
//! All are made on the first start and kept in the data folder, readable by their owner alone: `credentials` is an AWS shared
//! credentials file with the profile `rectify`, `api-key` holds the value of the `x-api-key` header, `metrics-token` the bearer token of `/metrics`.

pub mod sigv4;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use axum::http::HeaderMap;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use sigv4::SigningKeys;
pub use sigv4::{Denied, SignedRequest};

/// The header that carries the API key.
pub const API_KEY_HEADER: &str = "x-api-key";
/// The profile in the credentials file.
const PROFILE: &str = "rectify";

/// Who gets in.
#[derive(Debug)]
pub struct Access {
    access_key_id: String,
    secret_access_key: SecretString,
    signing_keys: SigningKeys,
    api_key: SecretString,
    metrics_token: SecretString,
}

/// Who called, as their signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The Region that the request was signed for.
    pub region: String,
    /// The service that it was signed for, by its name in signatures: `states`, `events` …
    pub service: String,
}

impl Caller {
    /// Refuses a request that was signed for another service than the one it calls.
    pub fn check_service(&self, called: &'static str) -> Result<(), Denied> {
        if self.service == called { Ok(()) } else { Err(Denied::OtherService(called)) }
    }
}

/// The keys can't be read or made.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A file can't be read or written.
    #[error(
        "{path} can't be {verb}: {source}; `serve` keeps its keys there, so make the folder writable or choose another with --data"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// "read" or "written".
        verb: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file is there, but is not what it should be.
    #[error("{path} holds no {what}; delete the file, and the next start makes new keys")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers to make keys of")]
    NoRandomness,
}

impl Access {
    /// Reads the keys in a data folder, made first where there are none. `region` is what clients use that name no other.
    pub fn open(folder: &Path, region: &str) -> Result<Access, AccessError> {
        let credentials = read_or_make(&folder.join("credentials"), || new_credentials(region))?;
        let made = || Ok(format!("{}\n", random_text(30)?));
        let api_key = read_or_make(&folder.join("api-key"), made)?;
        let metrics_token = read_or_make(&folder.join("metrics-token"), made)?;
        let malformed = |what| AccessError::Malformed { path: folder.join("credentials"), what };
        Ok(Access {
            access_key_id: setting(&credentials, "aws_access_key_id")
                .ok_or_else(|| malformed("aws_access_key_id in a profile `rectify`"))?
                .to_owned(),
            secret_access_key: setting(&credentials, "aws_secret_access_key")
                .ok_or_else(|| malformed("aws_secret_access_key in a profile `rectify`"))?
                .into(),
            signing_keys: SigningKeys::default(),
            api_key: api_key.trim().into(),
            metrics_token: metrics_token.trim().into(),
        })
    }

    /// The API key in a data folder: what the command line sends.
    pub fn read_api_key(folder: &Path) -> Result<SecretString, AccessError> {
        let path = folder.join("api-key");
        let text = fs::read_to_string(&path).map_err(|source| AccessError::File { path, verb: "read", source })?;
        Ok(text.trim().into())
    }

    /// The key pair: for what this process asks of its own API.
    pub fn key_pair(&self) -> (&str, &SecretString) {
        (&self.access_key_id, &self.secret_access_key)
    }

    /// Checks a SigV4 signature.
    pub fn check_signature(&self, request: &SignedRequest<'_>, now: Timestamp) -> Result<Caller, Denied> {
        let secret = self.secret_access_key.expose_secret();
        sigv4::verify(request, &self.access_key_id, secret, &self.signing_keys, now)
    }

    /// Whether the request carries the API key.
    pub fn has_api_key(&self, headers: &HeaderMap) -> bool {
        headers
            .get(API_KEY_HEADER)
            .is_some_and(|sent| bool::from(sent.as_bytes().ct_eq(self.api_key.expose_secret().as_bytes())))
    }

    /// Whether the request carries the API key as the password of basic authentication.
    pub fn has_api_key_as_password(&self, headers: &HeaderMap) -> bool {
        password(headers).is_some_and(|sent| bool::from(sent.ct_eq(self.api_key.expose_secret().as_bytes())))
    }

    /// Whether the request carries the token of `/metrics`, `Authorization: Bearer TOKEN`. An empty one lets nobody in.
    pub fn has_metrics_token(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
        let token =
            sent.and_then(|sent| sent.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let expected = self.metrics_token.expose_secret();
        !expected.is_empty()
            && token.is_some_and(|(_, token)| bool::from(token.trim().as_bytes().ct_eq(expected.as_bytes())))
    }
}

/// The password of basic authentication. The name of the user does not matter.
fn password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, sent) = headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
    let sent = STANDARD.decode(sent.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (_, password) = sent.split_at_checked(sent.iter().position(|byte| *byte == b':')? + 1)?;
    Some(password.to_vec())
}

fn new_credentials(region: &str) -> Result<String, AccessError> {
    let id: String = random_bytes::<16>()?.iter().map(|byte| char::from(b'A' + byte % 26)).collect();
    let secret = random_text(30)?;
    // SDKs would call TestState at the host `sync-127.0.0.1`, which there is none of.
    Ok(format!(
        "[{PROFILE}]\naws_access_key_id = AKIA{id}\naws_secret_access_key = {secret}\nregion = {region}\ndisable_host_prefix_injection = true\n"
    ))
}

/// `length` random bytes as text.
fn random_text(length: usize) -> Result<String, AccessError> {
    Ok(STANDARD_NO_PAD.encode(random_bytes::<64>()?.get(..length).unwrap_or_default()))
}

fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], AccessError> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_| AccessError::NoRandomness)?;
    Ok(bytes)
}

/// The value of a setting in our profile of a shared credentials file.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .skip_while(|line| line.trim() != format!("[{PROFILE}]"))
        .skip(1)
        .take_while(|line| !line.trim_start().starts_with('['))
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

fn read_or_make(path: &Path, make: impl FnOnce() -> Result<String, AccessError>) -> Result<String, AccessError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            keep_private(path).map_err(|source| AccessError::File {
                path: path.to_owned(),
                verb: "written",
                source,
            })?;
            Ok(text)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = make()?;
            write_private(path, &text).map_err(|source| AccessError::File {
                path: path.to_owned(),
                verb: "written",
                source,
            })?;
            Ok(text)
        }
        Err(source) => Err(AccessError::File { path: path.to_owned(), verb: "read", source }),
    }
}

#[cfg(unix)]
fn keep_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = fs::metadata(path)?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "others could read this file of keys; it is made private again");
    permissions.set_mode(0o600);
    fs::set_permissions(path, permissions)
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = Access::open(folder.path(), "eu-west-1").unwrap();
        let second = Access::open(folder.path(), "eu-west-1").unwrap();
        assert_eq!(first.access_key_id, second.access_key_id);
        assert_eq!(first.access_key_id.len(), 20);
        let text = fs::read_to_string(folder.path().join("credentials")).unwrap();
        assert_eq!(setting(&text, "region"), Some("eu-west-1"), "so that a client need not name one");
        assert_eq!(first.secret_access_key.expose_secret().len(), 40);
        assert_eq!(first.api_key.expose_secret(), Access::read_api_key(folder.path()).unwrap().expose_secret());
        #[cfg(unix)]
        for name in ["credentials", "api-key", "metrics-token"] {
            use std::os::unix::fs::PermissionsExt as _;
            let path = folder.path().join(name);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            Access::open(folder.path(), "eu-west-1").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "made private again");
        }
    }

    #[test]
    fn only_the_profile_s_own_settings_count() {
        let text =
            "[other]\naws_access_key_id = no\n[rectify]\naws_secret_access_key=s\n\n[third]\naws_access_key_id = no";
        assert_eq!(setting(text, "aws_access_key_id"), None);
        assert_eq!(setting(text, "aws_secret_access_key"), Some("s"));
    }

    #[test]
    fn a_file_that_holds_no_keys_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("credentials"), "nothing").unwrap();
        let error = Access::open(folder.path(), "eu-west-1").unwrap_err().to_string();
        assert!(error.contains("credentials") && error.contains("delete the file"), "{error}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access::open(folder.path(), "eu-west-1").unwrap();
        assert!(!format!("{access:?}").contains(access.secret_access_key.expose_secret()));
    }
}
