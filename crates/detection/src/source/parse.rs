//! Reading a source file, with every problem of it at once.

use asl::{Diagnostic, Document, document::escape};
use query::{Language, Template, jsonata::Expression};
use serde::de::DeserializeOwned;

use super::{Authentication, Challenge, FIELDS, Field, Hmac, Located, Source, Test, Token, Webhook};
use crate::reader::{Reader, expression_of};

/// The longest id: it is part of the webhook's path.
const ID_LIMIT: usize = 60;
/// The longest title.
const TITLE_LIMIT: usize = 200;

const KEYS: &[&str] = &["id", "title", "pattern", "split", "event", "webhook", "tests"];

impl Source {
    /// Reads a source file; tells every problem of it at once, in the order of the text. A source comes with its warnings.
    pub fn parse(document: &Document) -> Result<(Source, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut reader = Reader::new(document, "the source");
        let source = read(&mut reader);
        match (source, reader.finish()?) {
            (Some(source), warnings) => Ok((source, warnings)),
            (None, warnings) => Err(warnings),
        }
    }
}

fn read(reader: &mut Reader<'_>) -> Option<Source> {
    let keys = reader.object("", KEYS, &["id", "title", "event"])?;
    let is_reachable = keys.contains_key("pattern") || keys.contains_key("webhook");
    let id = reader.id("/id", ID_LIMIT);
    let title = reader.text("/title", TITLE_LIMIT);
    let has_pattern = keys.contains_key("pattern");
    let pattern = reader.pattern("/pattern");
    let split = split(reader);
    let event = event(reader);
    let webhook = webhook(reader);
    if !is_reachable {
        let help = "`pattern` tells its documents from others, `webhook` gives it a path of its own";
        reader.problem(
            "MISSING_KEY",
            "",
            "the source has neither `pattern` nor `webhook`: nothing would reach it",
            Some(help),
        );
    }
    let tests = reader.tests("add a published sample, and what is made of it", |test: &Test| &test.name, |_, _, _| {});
    if has_pattern && pattern.is_none() {
        return None;
    }
    Some(Source { id: id?, title: title?, pattern, split: split?, event: event?, webhook: webhook?, tests })
}

/// The outer `None` is one that can't be read.
fn split(reader: &mut Reader<'_>) -> Option<Option<Located<Expression>>> {
    if reader.value("/split").is_none() {
        return Some(None);
    }
    let written = reader.text("/split", usize::MAX)?;
    let Some(expression) = expression_of(&written) else {
        let help = "write `\"{% $document.… %}\"`";
        reader.problem("INVALID_EXPRESSION", "/split", "`split` has to be a JSONata expression", Some(help));
        return None;
    };
    reader.check_expression("/split", &written);
    // In an array nothing is an empty one, and one part and several are alike.
    let what = Expression::parse(&format!("[({expression})]")).ok()?;
    Some(Some(Located { line: reader.line("/split"), what }))
}

fn event(reader: &mut Reader<'_>) -> Option<[Option<Located<Field>>; FIELDS.len()]> {
    reader.object("/event", &FIELDS, &["source", "detail-type"])?;
    let mut fields = [const { None }; FIELDS.len()];
    let mut whole = true;
    for (name, field) in FIELDS.iter().zip(&mut fields) {
        let pointer = format!("/event/{}", escape(name));
        let Some(value) = reader.value(&pointer) else { continue };
        let line = reader.line(&pointer);
        let read = match value.as_str().and_then(expression_of) {
            Some(expression) => Expression::parse(expression)
                .and_then(|_| Expression::parse(&format!("[({expression})]")))
                .map(Field::Expression)
                .map_err(|error| vec![error]),
            None => Template::parse(value, Language::Jsonata).map(Field::Template),
        };
        match read {
            Ok(what) => *field = Some(Located { line, what }),
            Err(errors) => {
                whole = false;
                for error in errors {
                    let message = format!("the JSONata expression can't be read: {}", error.message);
                    reader.problem("INVALID_EXPRESSION", &format!("{pointer}{}", error.pointer), message, None);
                }
            }
        }
    }
    whole.then_some(fields)
}

/// The outer `None` is one that can't be read.
fn webhook(reader: &mut Reader<'_>) -> Option<Option<Webhook>> {
    if reader.value("/webhook").is_none() {
        return Some(None);
    }
    let keys = reader.object("/webhook", &["hmac", "token", "challenge"], &[])?;
    let challenge = settings::<Challenge>(reader, "/webhook/challenge", "{header: …, answer: …}")?;
    let hmac = settings::<Hmac>(reader, "/webhook/hmac", "{header: …}")?;
    let token = settings::<Token>(reader, "/webhook/token", "{header: …}")?;
    if let Some(hmac) = &hmac {
        check_signed(reader, hmac);
    }
    if keys.contains_key("hmac") == keys.contains_key("token") {
        let message = "`webhook` needs either `hmac` or `token`: without one anybody could send events";
        reader.problem("INVALID_VALUE", "/webhook", message, None);
    }
    let authentication = hmac.map(Authentication::Hmac).or(token.map(Authentication::Token))?;
    Some(Some(Webhook { authentication, challenge }))
}

/// The outer `None` is what can't be read.
fn settings<T: DeserializeOwned>(reader: &mut Reader<'_>, pointer: &str, help: &str) -> Option<Option<T>> {
    let Some(value) = reader.value(pointer) else { return Some(None) };
    match T::deserialize(value) {
        Ok(settings) => Some(Some(settings)),
        Err(error) => {
            reader.problem(
                "INVALID_VALUE",
                pointer,
                format!("this can't be read: {error}"),
                Some(&format!("write `{help}`")),
            );
            None
        }
    }
}

fn check_signed(reader: &mut Reader<'_>, hmac: &Hmac) {
    let signs = |what: &str| hmac.signed.contains(what);
    let fault = match (signs("{body}"), signs("{timestamp}"), hmac.timestamp.is_some()) {
        (false, ..) => "`signed` has to hold `{body}`: what is not signed may be anybody's",
        (_, true, false) => "`signed` holds `{timestamp}`, and `timestamp` does not say in which header that is",
        (_, false, true) => {
            "`timestamp` has to be signed, else anybody could renew it: put `{timestamp}` into `signed`"
        }
        _ => return,
    };
    reader.problem("INVALID_VALUE", "/webhook/hmac", fault, None);
}
