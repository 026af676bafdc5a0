//! CSV: rows as objects of strings.

use ::csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::{Cause, format::Take, unpack::Content};

/// Bytes of the header, at most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>
const HEADER_BYTES: usize = 10 << 10;

/// How a CSV file is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Csv {
    /// Those given; `None` where the first row has them.
    pub(super) headers: Option<Vec<String>>,
    /// Between two fields.
    pub(super) delimiter: u8,
}

impl Csv {
    /// Hands over each row until `take` wants no more. Columns that are missing are empty, those that have no header are left out.
    pub(super) fn parse(&self, body: Content, take: Take<'_>) -> Result<(), Cause> {
        let meter = body.meter.clone();
        meter.begin();
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).delimiter(self.delimiter).from_reader(body);
        let mut row = StringRecord::new();
        let mut read = |row: &mut StringRecord| {
            reader.read_record(row).map_err(|error| format!("The CSV file can't be read: {error}."))
        };
        let headers = match &self.headers {
            Some(headers) => headers.clone(),
            None if read(&mut row)? => row.iter().map(str::to_owned).collect(),
            None => return Ok(()),
        };
        check(&headers)?;
        while read(&mut row)? {
            let field = |(index, header): (usize, &String)| {
                (header.clone(), Value::String(row.get(index).unwrap_or_default().to_owned()))
            };
            let object: Map<String, Value> = headers.iter().enumerate().map(field).collect();
            if !take(Value::Object(object), None, meter.item()) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn check(headers: &[String]) -> Result<(), Cause> {
    if headers.iter().enumerate().any(|(index, header)| headers.iter().take(index).any(|before| before == header)) {
        return Err("CSV headers cannot contain duplicates.".to_owned());
    }
    if headers.iter().map(String::len).sum::<usize>() > HEADER_BYTES {
        return Err(format!("CSV headers cannot have more than {HEADER_BYTES} bytes."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(headers: Option<&[&str]>, delimiter: u8, body: &str, expected: Result<Value, &str>) {
        let headers = headers.map(|headers| headers.iter().map(|header| (*header).to_owned()).collect());
        let mut rows = Vec::new();
        let content = Content::of(std::io::Cursor::new(body.as_bytes().to_vec())).unwrap();
        let read = Csv { headers, delimiter }.parse(content, &mut |row, _, _| {
            rows.push(row);
            true
        });
        let rows = read.map(|()| Value::Array(rows));
        assert_eq!(rows.as_ref().map_err(String::as_str), expected.as_ref().map_err(|cause| *cause), "{body:?}");
    }

    #[test]
    fn rows_become_objects() {
        check(
            None,
            b',',
            "A,B\n1,2\n3\n4,5,6\n",
            Ok(json!([{"A": "1", "B": "2"}, {"A": "3", "B": ""}, {"A": "4", "B": "5"}])),
        );
        check(Some(&["H"]), b',', "1,2\n", Ok(json!([{"H": "1"}])));
        check(None, b',', "H1,\nv1,v2\n", Ok(json!([{"H1": "v1", "": "v2"}])));
        check(None, b'|', "\u{feff}A|B\n\"x|\"\"y\"\"\"|z", Ok(json!([{"A": "x|\"y\"", "B": "z"}])));
        check(None, b',', "A,B\r\n\r\n   \r\n", Ok(json!([{"A": "   ", "B": ""}])));
        check(None, b',', "", Ok(json!([])));
        check(Some(&["H1", "H1"]), b',', "1,2", Err("CSV headers cannot contain duplicates."));
    }
}
