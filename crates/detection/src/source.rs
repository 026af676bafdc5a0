//! A source's mapping: how a document of somebody else's is recognised, and how events are made of it. See docs/sources.md.

mod map;
mod parse;
mod test;

use jiff::Timestamp;
use query::{Template, jsonata::Expression};
use serde::Deserialize;
use thiserror::Error;

pub use self::test::{Test, failures};
use crate::EventPattern;

/// The longest document that is mapped, in bytes as JSON: JSONata makes no longer value.
pub const DOCUMENT_LIMIT_BYTES: usize = 2 << 20;
/// How many parts a document may be split into.
pub const PARTS_LIMIT: usize = 10_000;

/// A source: `sources/<id>.yaml`.
#[derive(Clone, Debug)]
pub struct Source {
    /// Lower-case letters, digits and `-`. The path of its webhook is `/webhooks/<id>`.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// Which documents are its own, among those that come by a queue, `POST /events` or a file. Without one, only what comes by its
    /// webhook is.
    pub pattern: Option<EventPattern>,
    /// Gives the parts of `$document`, each of which makes an event; without it the whole makes one.
    split: Option<Located<Expression>>,
    /// The fields of the envelope, in the order of [`FIELDS`].
    event: [Option<Located<Field>>; FIELDS.len()],
    /// How its webhook is authenticated; without it there is none.
    pub webhook: Option<Webhook>,
    /// Published samples, and what is made of them.
    pub tests: Vec<Test>,
}

/// The fields of an event, as they are written in `event`. All but `source` and `detail-type` have a default.
const FIELDS: [&str; 8] = ["id", "source", "detail-type", "account", "region", "time", "resources", "detail"];

/// Something with the line of the file on which it is, from 1.
#[derive(Clone, Debug)]
struct Located<T> {
    line: usize,
    what: T,
}

/// What gives a field its value.
#[derive(Clone, Debug)]
enum Field {
    /// An expression in an array, so that nothing is an empty one: then the default holds.
    Expression(Expression),
    /// Anything else: texts, and objects with expressions in them.
    Template(Template),
}

/// How the requests of a webhook are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// How it is known who sent a request.
    pub authentication: Authentication,
    /// How a request is answered by which the sender asks whether this is the right place.
    pub challenge: Option<Challenge>,
}

/// How it is known who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// A code made of the body and the secret.
    Hmac(Hmac),
    /// The secret itself.
    Token(Token),
}

/// A `GET` whose header is repeated in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The header's name.
    pub header: String,
    /// The key of the answer under which its value stands.
    pub answer: String,
}

/// A header that holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The header's name.
    pub header: String,
    /// What stands before the secret, as in `Bearer `.
    #[serde(default)]
    pub prefix: String,
}

/// A header that holds a message authentication code (RFC 2104).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hmac {
    /// The header's name.
    pub header: String,
    /// Of which hash.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How it is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// What stands before the code, as in `sha256=`.
    #[serde(default)]
    pub prefix: String,
    /// What is signed: `{body}`, and `{timestamp}` where there is one, with any text around them.
    #[serde(default = "body_alone")]
    pub signed: String,
    /// When it was sent, so that an old request can't be sent again.
    #[serde(default)]
    pub timestamp: Option<Sent>,
}

fn body_alone() -> String {
    "{body}".to_owned()
}

/// The hash of a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// HMAC-SHA256.
    #[default]
    Sha256,
    /// HMAC-SHA1.
    Sha1,
}

/// How a code is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

/// When a request was sent: RFC 3339, or seconds or milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    /// The header's name.
    pub header: String,
    /// How far from now it may be, in seconds, either way.
    #[serde(default = "five_minutes")]
    pub tolerance_seconds: u32,
}

fn five_minutes() -> u32 {
    300
}

/// What is known of a document besides what it says: the defaults of an event made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// When it came.
    pub at: Timestamp,
    /// The account of this process.
    pub account: String,
    /// The Region of this process.
    pub region: String,
}

/// A document that a source can't make events of.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the source `{source_id}` can't make an event of this: {}{reason}", place(.at))]
pub struct Unmapped {
    /// Whose mapping.
    pub source_id: String,
    /// The part of its file that says so and the line it is on, from 1; `None` where it is about the whole.
    pub at: Option<(String, usize)>,
    /// What is wrong.
    pub reason: String,
}

fn place(at: &Option<(String, usize)>) -> String {
    at.as_ref().map_or_else(String::new, |(field, line)| format!("`{field}`, line {line} of its file: "))
}

#[cfg(test)]
mod tests;
