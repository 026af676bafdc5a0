//! Files of items: CSV, JSON, JSON Lines.

use serde_json::Value;

use super::{Cause, Config, csv::Csv};

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

    /// Hands over each item, and its key where the items are an object's fields, until `take` wants no more.
    pub(super) fn parse(&self, body: &[u8], take: &mut dyn FnMut(Value, Option<String>) -> bool) -> Result<(), Cause> {
        match self {
            Format::Csv(csv) => csv.parse(body, &mut |row| take(row, None)),
            Format::Json(pointer) => json(body, pointer.as_deref(), take),
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

fn json(body: &[u8], pointer: Option<&str>, take: &mut dyn FnMut(Value, Option<String>) -> bool) -> Result<(), Cause> {
    let mut whole: Value = serde_json::from_slice(body).map_err(|error| format!("The file is not JSON: {error}."))?;
    let items = match pointer {
        Some(pointer) => whole
            .pointer_mut(pointer)
            .map(Value::take)
            .ok_or_else(|| format!("The ItemsPointer '{pointer}' leads to nothing in the file."))?,
        None => whole,
    };
    match items {
        Value::Array(items) => _ = items.into_iter().all(|item| take(item, None)),
        Value::Object(fields) => _ = fields.into_iter().all(|(key, item)| take(item, Some(key))),
        _ => return Err("Attempting to map over non-iterable node.".to_owned()),
    }
    Ok(())
}

fn json_lines(body: &[u8], take: &mut dyn FnMut(Value, Option<String>) -> bool) -> Result<(), Cause> {
    let lines = (1..).zip(body.split(|byte| *byte == b'\n'));
    for (number, line) in lines.filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let item =
            serde_json::from_slice(line).map_err(|error| format!("Line {number} of the file is not JSON: {error}."))?;
        if !take(item, None) {
            return Ok(());
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
            format.parse(body.as_bytes(), &mut |value, key| {
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
