//! `rectify findings export`: findings in the formats of others.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::ValueEnum;
use serde_json::Value;

use super::{Problem, page};
use crate::{client::Server, output};

/// Findings read at once: those whose timelines are long have some 100 kB.
const PAGE: usize = 100;

/// In which format a finding is written.
#[derive(Clone, Copy, ValueEnum)]
pub enum ExportFormat {
    /// AWS Security Finding Format: what Security Hub takes
    Asff,
    /// OCSF's class 2004, Detection Finding
    Ocsf,
    /// All of it, as `findings show --format json`
    Json,
}

impl ExportFormat {
    fn name(self) -> &'static str {
        match self {
            ExportFormat::Asff => "asff",
            ExportFormat::Ocsf => "ocsf",
            ExportFormat::Json => "json",
        }
    }
}

/// What is exported, and whereto.
#[derive(clap::Args)]
pub struct ExportArguments {
    /// In which format
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// Write one JSON array, and not one finding a line
    #[arg(long)]
    array: bool,
    /// Write to this file, and not to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes findings page by page, so that any number of them fits.
pub fn run(server: &Server, filters: Vec<(&str, Option<String>)>, export: &ExportArguments) -> Result<(), Problem> {
    let Some(path) = &export.output else {
        return match write(server, filters, export, &mut io::stdout().lock())? {
            // A reader that has gone (`| head`) wants no more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Problem(output::unwritten(&error))),
            Ok(_) => Ok(()),
        };
    };
    let unwritten = |error: io::Error| Problem(format!("{} can't be written: {error}", path.display()));
    let mut file = BufWriter::new(File::create(path).map_err(unwritten)?);
    let count = write(server, filters, export, &mut file)?.map_err(unwritten)?;
    output::problem(&format!("{count} findings are in {}", path.display()));
    Ok(())
}

/// How many findings were written: the outer error is the server's, the inner one the output's.
fn write(
    server: &Server,
    mut filters: Vec<(&str, Option<String>)>,
    export: &ExportArguments,
    out: &mut dyn Write,
) -> Result<io::Result<u64>, Problem> {
    filters.extend([("format", Some(export.format.name().to_owned())), ("limit", Some(PAGE.to_string()))]);
    let mut written = Written { count: 0, array: export.array };
    let mut after = None;
    loop {
        let (findings, next) = page(server, &filters, after.as_deref())?;
        if let Err(error) = written.add(&findings, out) {
            return Ok(Err(error));
        }
        if next.is_none() {
            return Ok(written.finish(out));
        }
        after = next;
    }
}

struct Written {
    count: u64,
    array: bool,
}

impl Written {
    fn add(&mut self, findings: &[Value], out: &mut dyn Write) -> io::Result<()> {
        for finding in findings {
            match (self.array, self.count) {
                (false, _) => writeln!(out, "{finding}")?,
                (true, 0) => write!(out, "[\n{finding}")?,
                (true, _) => write!(out, ",\n{finding}")?,
            }
            self.count += 1;
        }
        Ok(())
    }

    fn finish(self, out: &mut dyn Write) -> io::Result<u64> {
        match (self.array, self.count) {
            (false, _) => {}
            (true, 0) => writeln!(out, "[]")?,
            (true, _) => writeln!(out, "\n]")?,
        }
        out.flush()?;
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_or_one_array() {
        let check = |array: bool, pages: &[&[Value]], expected: &str| {
            let mut out = Vec::new();
            let mut written = Written { count: 0, array };
            pages.iter().for_each(|findings| written.add(findings, &mut out).unwrap());
            let count = written.finish(&mut out).unwrap();
            assert_eq!(count, pages.iter().map(|findings| findings.len() as u64).sum::<u64>());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        let findings = [json!({"a": 1}), json!({"a": "\n"})];
        let (one, two) = findings.split_at(1);
        check(false, &[], "");
        check(false, &[&findings, one], "{\"a\":1}\n{\"a\":\"\\n\"}\n{\"a\":1}\n");
        check(true, &[&[]], "[]\n");
        check(true, &[one, two], "[\n{\"a\":1},\n{\"a\":\"\\n\"}\n]\n");
    }
}
