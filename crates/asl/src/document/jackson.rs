//! What Jackson says of a text that is no JSON: AWS reads definitions by it, and shows its words.
//!
//! Source: Jackson's `ReaderBasedJsonParser` (its messages), `JsonLocation` (how it names a place), and what AWS has answered.

mod scanner;

use scanner::Scanner;

use super::json;

/// How much of the text a place repeats, in UTF-16 units.
const SNIPPET: usize = 500;

/// From this length on, in UTF-16 units, Jackson reads a text through a reader and repeats nothing of it.
const LONGEST_SHOWN: usize = 0x8000;

/// Why a text is no JSON.
pub(super) struct Refusal {
    /// Jackson's message, less its place.
    pub(super) message: String,
    /// The place as Jackson writes it: `[Source: (String)"not"; line: 1, column: 4]`.
    pub(super) location: String,
    /// The first byte of what is wrong.
    pub(super) byte: usize,
}

/// Why a text is no JSON, or `None` where Jackson would take it.
pub(super) fn refusal(text: &str) -> Option<Refusal> {
    let (fault, byte) = Scanner::new(text).document().err()?;
    let message = match fault.start {
        Some((line, column)) => fault.message.replace("{start}", &location(text, line, column)),
        None => fault.message,
    };
    Some(Refusal { message, location: location(text, fault.line, fault.column), byte })
}

/// Why a text is no JSON, as a service of AWS shows Jackson's exception; `None` where it is JSON, or nests too deep to tell.
pub fn not_json(text: &str) -> Option<String> {
    if text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        let location = location(text, 1, 0);
        return Some(format!(
            "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input\n at {location}"
        ));
    }
    let Some(Refusal { message, location, .. }) = refusal(text) else { return json::not_taken(text) };
    let class =
        if message.starts_with("Unexpected end-of-input") { "io.JsonEOFException" } else { "JsonParseException" };
    Some(format!("com.fasterxml.jackson.core.{class}: {message}\n at {location}"))
}

/// A place in a text as Jackson writes it.
pub(super) fn location(text: &str, line: usize, column: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let source = if units.len() > LONGEST_SHOWN {
        "(StringReader)".to_owned()
    } else {
        let shown = String::from_utf16_lossy(units.get(..SNIPPET).unwrap_or(&units));
        match units.len().checked_sub(SNIPPET) {
            Some(more) if more > 0 => format!("(String)\"{shown}\"[truncated {more} chars]"),
            _ => format!("(String)\"{shown}\""),
        }
    };
    format!("[Source: {source}; line: {line}, column: {column}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, message: &str, line: usize, column: usize) {
        let told = refusal(text).unwrap_or_else(|| panic!("{text} is taken"));
        assert_eq!(told.message, message, "{text}");
        assert_eq!(told.location, location(text, line, column), "{text}");
    }

    #[test]
    fn what_is_no_json() {
        const TOKENS: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        check("not a definition", &format!("Unrecognized token 'not': was expecting {TOKENS}"), 1, 4);
        check("{\"a\": tru}", &format!("Unrecognized token 'tru': was expecting {TOKENS}"), 1, 10);
        check("{\"a\": nulls}", &format!("Unrecognized token 'nulls': was expecting {TOKENS}"), 1, 12);
        check(
            "{\"a\": 1,}",
            "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
            1,
            10,
        );
        check("{a: 1}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name", 1, 3);
        check(
            "{\"a\": 1\n \"b\": 2}",
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
            2,
            3,
        );
        check("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 1, 5);
        check(
            "{\"a\" 1}",
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            1,
            7,
        );
        check("{\"a\": }", "Unexpected character ('}' (code 125)): expected a value", 1, 8);
        check("{\"a\": ,}", &format!("Unexpected character (',' (code 44)): expected a valid value {TOKENS}"), 1, 8);
        check("[1,]", &format!("Unexpected character (']' (code 93)): expected a valid value {TOKENS}"), 1, 5);
        check("{\"a\": 'b'}", &format!("Unexpected character (''' (code 39)): expected a valid value {TOKENS}"), 1, 8);
        check("{\"a\": ${b}}", &format!("Unrecognized token '$': was expecting {TOKENS}"), 1, 8);
        check(
            "{\"a\": –1}",
            &format!("Unexpected character ('–' (code 8211 / 0x2013)): expected a valid value {TOKENS}"),
            1,
            8,
        );
        check("{\"a\": 01}", "Invalid numeric value: Leading zeroes not allowed", 1, 8);
        check(
            "{\"a\": 1.}",
            "Unexpected character ('}' (code 125)) in numeric value: Decimal point not followed by a digit",
            1,
            10,
        );
        check(
            "{\"a\": -b}",
            "Unexpected character ('b' (code 98)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
            1,
            9,
        );
        check(
            "{\"a\": \"b\nc\"}",
            "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
            1,
            10,
        );
        check("{\"a\": \"\\d\"}", "Unrecognized character escape 'd' (code 100)", 1, 10);
        check("{\"a\": \"b", "Unexpected end-of-input: was expecting closing quote for a string value", 1, 9);
        check("{\"a", "Unexpected end-of-input in field name", 1, 4);
        check("{\"a\":", "Unexpected end-of-input within/between Object entries", 1, 6);
    }

    #[test]
    fn what_is_not_taken_is_told_as_an_exception() {
        fn exception(text: &str, expected: &str) {
            assert_eq!(not_json(text).as_deref(), Some(expected), "{text:?}");
        }
        let nothing =
            "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input\n at";
        exception("", &format!("{nothing} [Source: (String)\"\"; line: 1, column: 0]"));
        exception(" \n", &format!("{nothing} [Source: (String)\" \n\"; line: 1, column: 0]"));
        exception(
            "[1 2]",
            "com.fasterxml.jackson.core.JsonParseException: Unexpected character ('2' (code 50)): was expecting comma to separate Array entries\n at [Source: (String)\"[1 2]\"; line: 1, column: 5]",
        );
        exception(
            "{} 1",
            "Trailing token found after value: not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`\n at [Source: (String)\"{} 1\"; line: 1, column: 4]",
        );
        assert_eq!(not_json("{}"), None);
        assert!(not_json(&"[".repeat(200)).is_some(), "it never ends");
        assert_eq!(not_json(&format!("{}{}", "[".repeat(200), "]".repeat(200))), None, "it is only too deep");
    }

    #[test]
    fn what_is_open_at_the_end_is_told_with_its_beginning() {
        check(
            "{\"a\": [1",
            "Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)\"{\"a\": [1\"; line: 1, column: 7])",
            1,
            9,
        );
        check(
            "[1}",
            "Unexpected close marker '}': expected ']' (for Array starting at [Source: (String)\"[1}\"; line: 1, column: 1])",
            1,
            4,
        );
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        let text = format!("{{\"a\": \"{}\",}}", "x".repeat(600));
        let told = refusal(&text).expect("a fault").location;
        assert!(told.contains("\"[truncated 110 chars]; line: 1, column: 611]"), "{told}");
        let told = refusal(&"x".repeat(40_000)).expect("a fault");
        assert_eq!(told.location, "[Source: (StringReader); line: 1, column: 40001]");
        assert!(told.message.contains("xxx...'"), "{}", told.message);
    }

    #[test]
    fn what_is_json_is_taken() {
        for text in ["{}", " [1, -0.5e+3, \"\\u00e9\\n\", null, true, {\"a\": {}, \"b\": []}] ", "7", "\"x\""] {
            assert!(refusal(text).is_none(), "{text}");
        }
    }
}
