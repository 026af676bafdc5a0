//! Problems of files, shown at their place.

use asl::{Diagnostic, Severity};
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};

/// What was read and the problems with it; with an error among them, the problems alone. `read` are those of the text itself.
pub fn all<T>(
    read: Vec<Diagnostic>,
    parsed: Result<(T, Vec<Diagnostic>), Vec<Diagnostic>>,
) -> Result<(T, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (value, found) = match parsed {
        Ok((value, found)) => (Some(value), found),
        Err(found) => (None, found),
    };
    let mut problems = read;
    problems.extend(found);
    problems.sort_by_key(|problem| problem.span.start);
    match value {
        Some(value) if !has_error(&problems) => Ok((value, problems)),
        _ => Err(problems),
    }
}

/// A file's problems for people: each with the line it is on.
pub fn render(file: &str, text: &str, diagnostics: &[Diagnostic]) -> String {
    let render = |diagnostic: &Diagnostic| {
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let span = diagnostic.span;
        let length = span.end.saturating_sub(span.start).max(1);
        let label =
            LabeledSpan::at(span.start.min(text.len())..span.start.saturating_add(length).min(text.len()), "here");
        let mut shown = MietteDiagnostic::new(diagnostic.message.clone())
            .with_code(diagnostic.code.clone())
            .with_severity(severity)
            .with_label(label);
        if let Some(help) = &diagnostic.help {
            shown = shown.with_help(help.clone());
        }
        let report = Report::new(shown).with_source_code(NamedSource::new(file, text.to_owned()));
        format!("{file}:{}:{}\n{report:?}", span.line, span.column)
    };
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n")
}

/// Whether any of them is an error.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}
