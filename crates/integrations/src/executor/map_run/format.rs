//! Files of items: CSV, JSON, JSON Lines.

use std::io::BufRead;

use serde_json::Value;

use super::{Cause, Config, csv::Csv, json, unpack::Content};

/// Takes an item, its key where the items are an object's fields, and about how many bytes it took in its file; whether more are
/// wanted.
pub(super) type Take<'a> = &'a mut dyn FnMut(Value, Option<String>, u64) -> bool;

/// What a file is to be read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv(Csv),
    /// With `ItemsPointer`.
    Json(Option<String>),
    JsonLines,
}

impl Format {
    /// As `InputType` and its companions say; JSON where nothing is said.
    pub(super) fn of(config: Config<'_>) -> Result<Format, Cause> {
        match config.text("InputType") {
            Some("CSV") => Ok(Format::Csv(Csv { headers: headers(config), delimiter: delimiter(config)? })),
            Some("JSONL") => Ok(Format::JsonLines),
            Some("JSON") | None => Ok(Format::Json(config.text("ItemsPointer").map(str::to_owned))),
            Some(other) => Err(format!("The InputType '{other}' is not read here: use CSV, JSON, JSONL or MANIFEST.")),
        }
    }

    /// Hands over each item until `take` wants no more.
    pub(super) fn parse(&self, body: Content, take: Take<'_>) -> Result<(), Cause> {
        match self {
            Format::Csv(csv) => csv.parse(body, take),
            Format::Json(pointer) => json::parse(body, pointer.as_deref(), take),
            Format::JsonLines => json_lines(body, take),
        }
    }
}

/// `CSVHeaders`, where `CSVHeaderLocation` is GIVEN.
pub(super) fn headers(config: Config<'_>) -> Option<Vec<String>> {
    if config.text("CSVHeaderLocation") != Some("GIVEN") {
        return None;
    }
    let given = config.0.get("CSVHeaders").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(given.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// `CSVDelimiter`.
pub(super) fn delimiter(config: Config<'_>) -> Result<u8, Cause> {
    match config.text("CSVDelimiter") {
        None | Some("COMMA") => Ok(b','),
        Some("PIPE") => Ok(b'|'),
        Some("SEMICOLON") => Ok(b';'),
        Some("SPACE") => Ok(b' '),
        Some("TAB") => Ok(b'\t'),
        Some(other) => {
            Err(format!("The CSVDelimiter '{other}' is not known: use COMMA, PIPE, SEMICOLON, SPACE or TAB."))
        }
    }
}

fn json_lines(mut body: Content, take: Take<'_>) -> Result<(), Cause> {
    body.meter.begin();
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let count = body.read_until(b'\n', &mut line).map_err(|error| format!("The file can't be read: {error}."))?;
        if count == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let item = serde_json::from_slice(&line)
            .map_err(|error| format!("Line {number} of the file is not JSON: {error}."))?;
        if !take(item, None, body.meter.item()) {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(config: Value, body: &str, expected: Result<Value, &str>) {
        let mut items = Vec::new();
        let read = Format::of(Config(&config)).and_then(|format| {
            let content = Content::of(std::io::Cursor::new(body.as_bytes().to_vec()))?;
            format.parse(content, &mut |value, key, _| {
                items.push(json!([value, key]));
                true
            })
        });
        let read = read.map(|()| Value::Array(items));
        match (read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{body}"),
            (Err(cause), Err(expected)) => assert!(cause.contains(expected), "{cause}"),
            (read, expected) => panic!("{body}: {read:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn the_data_of_a_tested_reader_is_made_json() {
        let check = |config: Value, data: &str, expected: Result<&str, &str>| {
            let read = super::super::item_reader_data(&config, data.to_owned());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{config}");
        };
        check(Value::Null, "{\"x\": [1]}", Ok("{\"x\": [1]}"));
        check(json!({"InputType": "JSONL"}), "1\n{}\n", Ok("[1,{}]"));
        check(
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
            "a,b\n1,2\n",
            Ok(r#"[{"a":"1","b":"2"}]"#),
        );
        let refused = "An ItemReader of InputType PARQUET is not tested here: give its items as those of a JSON, JSONL or CSV file.";
        check(json!({"InputType": "PARQUET"}), "", Err(refused));
    }

    #[test]
    fn files_are_read() {
        check(json!({"InputType": "JSON"}), "[1, {}]", Ok(json!([[1, null], [{}, null]])));
        check(json!({"InputType": "JSON", "ItemsPointer": "/a~1b/0"}), r#"{"a/b": [[7]]}"#, Ok(json!([[7, null]])));
        check(json!({"InputType": "JSON", "ItemsPointer": ""}), "[7]", Ok(json!([[7, null]])));
        check(json!({"InputType": "JSON"}), r#"{"k": 1}"#, Ok(json!([[1, "k"]])));
        let nested = json!({"InputType": "JSON", "ItemsPointer": "/a"});
        check(nested, r#"{"z": [[1]], "a": {"x": 1, "y": [2]}, "b": 3}"#, Ok(json!([[1, "x"], [[2], "y"]])));
        check(json!({"InputType": "JSON"}), "[1] x", Err("The file is not JSON"));
        check(json!({"InputType": "JSON"}), "", Err("The file is not JSON"));
        check(json!({"InputType": "JSON"}), "1", Err("Attempting to map over non-iterable node."));
        check(json!({"InputType": "JSON"}), "{", Err("The file is not JSON"));
        check(json!({"InputType": "JSON", "ItemsPointer": "/x"}), "{}", Err("leads to nothing"));
        check(json!({"InputType": "JSONL"}), "1\r\n\n2\n", Ok(json!([[1, null], [2, null]])));
        check(json!({"InputType": "JSONL"}), "1\n{", Err("Line 2 of the file"));
        let given =
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "CSVDelimiter": "TAB"});
        check(given, "x\ty\n", Ok(json!([[{"a": "x"}, null]])));
        check(json!({"InputType": "CSV", "CSVDelimiter": "DOT"}), "", Err("DOT"));
    }
}
