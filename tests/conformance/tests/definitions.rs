//! Real definitions parse, and those that other validators refuse are refused.

use asl::{Diagnostic, Document, Format, parse::AnyResource};
use conformance::corpus;
use serde_json::Value;

fn diagnostics(text: &str, format: Format) -> Vec<Diagnostic> {
    match Document::parse(text, format).and_then(|document| asl::parse::parse(&document, &AnyResource)) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

fn told(problems: &[Diagnostic]) -> String {
    problems.iter().map(|problem| format!("\n    {} {problem}", problem.pointer)).collect()
}

#[test]
fn real_definitions() {
    let Some(cases) = corpus("asl/definitions.jsonl.gz", 206) else { return };
    let mut n=0;
    for case in &cases {
        let format = if case["format"] == "yaml" { Format::Yaml } else { Format::Json };
        let problems = diagnostics(case["text"].as_str().unwrap(), format);
        if !problems.is_empty() { n+=1; println!("{}{}", case["path"], told(&problems)); }
    }
    println!("{n} of {}", cases.len());
}

#[test]
fn validators() {
    let Some(cases) = corpus("asl/validator-cases.jsonl.gz", 96) else { return };
    let mut n=0;
    for case in &cases {
        let valid = case.get("valid").and_then(Value::as_bool).unwrap_or_else(|| case["problems"] == 0);
        let problems = diagnostics(case["text"].as_str().unwrap(), Format::Json);
        if problems.is_empty() != valid { n+=1; println!("{} valid {valid}{}", case["file"], told(&problems)); }
    }
    println!("{n} of {}", cases.len());
}

#[test]
fn recorded() {
    let Some(cases) = corpus("asl/recorded-public.jsonl.gz", 759) else { return };
    let mut n=0;
    for case in &cases {
        if case["kind"] != "exec" { continue }
        let problems = match &case["definition"] { Value::Null => continue, Value::String(text) => diagnostics(text, Format::Json), other => diagnostics(&other.to_string(), Format::Json)};
        if !problems.is_empty() { n+=1; println!("{}{}", case["id"], told(&problems)); }
    }
    println!("{n} of {}", cases.len());
}
