//! What the command line prints: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::Value;

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}

/// Prints a line. A reader that has gone (`| head`) ends the program quietly, as it does others; any other failure with its reason.
/// For what has nothing to do but print.
pub fn line(text: &str) {
    written(write_line(text));
}

/// The same of many lines at once, each of which ends with a line feed.
pub fn lines(text: &str) {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

fn written(result: io::Result<()>) {
    match result {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            problem(&unwritten(&error));
            std::process::exit(1);
        }
    }
}

/// Prints a line.
pub fn write_line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// Tells why standard output could not be written.
pub fn unwritten(error: &io::Error) -> String {
    format!("standard output can't be written: {error}")
}

/// Tells a problem, or what is going on.
pub fn problem(text: &str) {
    // Nobody is left to be told where standard error is closed.
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Whether what goes to standard error may have colours: on a terminal, unless `NO_COLOR` is set. <https://no-color.org>
pub fn has_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|said| said.is_empty())
}

/// Prints rows. `columns` are the keys shown in a table, in their order; JSON shows the rows as they are.
pub fn rows(rows: &[Value], columns: &[&str], format: Format) {
    match format {
        Format::Jsonl => rows.iter().for_each(|row| line(&row.to_string())),
        Format::Json => line(&format!("{:#}", Value::from(rows.to_vec()))),
        Format::Table => table(rows, columns).iter().for_each(|text| line(text)),
    }
}

fn table(rows: &[Value], columns: &[&str]) -> Vec<String> {
    let header = columns.iter().map(|column| column.to_uppercase()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| cell(row.get(column))).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(cells).collect();
    let width = |index: usize| {
        lines.iter().filter_map(|line| line.get(index)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(padded).collect()
}

/// A value in a table: on one line, and not endlessly long.
fn cell(value: Option<&Value>) -> String {
    const LONGEST: usize = 100;
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let text = text.replace(char::is_control, " ");
    if text.chars().count() > LONGEST { text.chars().take(LONGEST - 1).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_one_line_a_row() {
        let rows =
            [json!({"id": "a", "n": 10}), json!({"id": "long\nname", "n": null}), json!({"id": "x".repeat(200)})];
        let lines = table(&rows, &["id", "n"]);
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["ID", "N"]);
        assert_eq!(lines[1].split_whitespace().collect::<Vec<_>>(), ["a", "10"]);
        assert!(lines[2].starts_with("long name ") && lines[2].ends_with("  -"));
        assert_eq!(lines[3].split_whitespace().next().unwrap().chars().count(), 100);
    }
}
