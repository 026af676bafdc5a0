//! `functions`: what runs here as a local process.

use std::{
    collections::BTreeMap,
    path::{self, Path, PathBuf},
};

use integrations::LocalFunction;
use serde_json::Value;

use super::{Configuration, Reader};

const KEYS: &[&str] =
    &["command", "code", "runtime", "handler", "environment", "timeout_seconds", "memory_size", "concurrency"];
/// Lambda's own default.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;
/// In MB: Lambda's own default.
const DEFAULT_MEMORY_SIZE: u64 = 128;
/// Few enough for one machine.
const DEFAULT_CONCURRENCY: u64 = 10;
/// What the names of Lambda's runtimes begin with.
const RUNTIMES: &[&str] = &["python", "provided", "nodejs", "java", "dotnet", "ruby"];
/// What Lambda keeps for itself, beside all that begins with `AWS_LAMBDA_`.
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

impl Configuration {
    /// The functions whose folder is not there, each with its problem.
    pub fn functions_without_code(&self) -> Vec<String> {
        let without = self.functions.iter().filter(|(_, function)| !function.code.is_dir());
        without
            .map(|(name, function)| {
                format!("the `code` of the function `{name}` is no folder that is there: {}", function.code.display())
            })
            .collect()
    }
}

impl Reader<'_> {
    pub(super) fn functions(&mut self, at: &str) -> BTreeMap<String, LocalFunction> {
        let mut functions = BTreeMap::new();
        for (name, at, _) in self.members(at) {
            let fits = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
            if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                self.problem(&at, "a function is named by 1 to 64 letters, digits, hyphens and underscores", None);
            }
            if let Some(function) = self.function(&at) {
                functions.insert(name.to_owned(), function);
            }
        }
        functions
    }

    fn function(&mut self, at: &str) -> Option<LocalFunction> {
        let before = self.problems.len();
        let (mut command, mut code, mut runtime, mut handler) = (None, None, None, None);
        let mut environment = BTreeMap::new();
        let (mut timeout, mut memory, mut concurrency) =
            (DEFAULT_TIMEOUT_SECONDS, DEFAULT_MEMORY_SIZE, DEFAULT_CONCURRENCY);
        for (key, at, value) in self.object(at, KEYS) {
            match key {
                "command" => command = self.command(&at, value),
                "code" => code = self.value::<PathBuf>(&at, "the path of a folder"),
                "runtime" => runtime = self.runtime(&at),
                "handler" => handler = self.value::<String>(&at, "a handler, as in `file.function`,"),
                "environment" => environment = self.environment(&at),
                "timeout_seconds" => timeout = self.within(&at, "seconds", 1, 900).unwrap_or(timeout),
                "memory_size" => memory = self.within(&at, "MB", 128, 10_240).unwrap_or(memory),
                "concurrency" => concurrency = self.within(&at, "processes", 1, 1000).unwrap_or(concurrency),
                _ => {}
            }
        }
        if self.problems.len() > before {
            return None;
        }
        let Some(command) = command.or_else(|| usual_command(runtime.as_deref(), handler.as_deref())) else {
            self.problem(
                at,
                "a function needs a `command`, or a `runtime` that tells it",
                Some("`command: [python3, -m, awslambdaric, file.function]`; without one, `runtime: python3.12` with a `handler`, or `runtime: provided.al2023` with the program `bootstrap` in `code`"),
            );
            return None;
        };
        let code = code.unwrap_or_default();
        // An empty path is no path, and the folder that is worked in is one.
        let code = path::absolute(Path::new(".").join(&code)).unwrap_or(code);
        Some(LocalFunction {
            command: found_in(&code, command),
            code,
            handler,
            runtime,
            environment,
            timeout_seconds: timeout,
            memory_size: u32::try_from(memory).unwrap_or(u32::MAX),
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
        })
    }

    /// A list is the program and its arguments; a text is for the shell.
    fn command(&mut self, at: &str, value: &Value) -> Option<Vec<String>> {
        let words = match value {
            Value::String(text) if !text.trim().is_empty() => {
                vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()]
            }
            Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let is_whole = value.as_array().is_none_or(|given| given.len() == words.len());
        if !is_whole || words.first().is_none_or(String::is_empty) {
            self.problem(
                at,
                "a command is a list of texts, the program first, or a text for the shell",
                Some("command: [python3, -m, awslambdaric, file.function]"),
            );
            return None;
        }
        Some(words)
    }

    fn runtime(&mut self, at: &str) -> Option<String> {
        let runtime: String = self.value(at, "a runtime of Lambda")?;
        if !RUNTIMES.iter().any(|known| runtime.starts_with(known)) {
            let help = "as Lambda names it: python3.12, provided.al2023, nodejs22.x, java21, dotnet8, ruby3.4 …";
            self.problem(at, &format!("`{runtime}` is no runtime of Lambda"), Some(help));
            return None;
        }
        Some(runtime)
    }

    fn environment(&mut self, at: &str) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for (name, at, value) in self.members(at) {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => {
                    self.problem(&at, "a text is wanted here", None);
                    continue;
                }
            };
            let fits = |character: char| character.is_ascii_alphanumeric() || character == '_';
            if RESERVED.contains(&name) || name.starts_with("AWS_LAMBDA_") {
                self.problem(&at, &format!("`{name}` is one that Lambda sets itself"), Some("give it another name"));
            } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) || !name.chars().all(fits) {
                self.problem(&at, "a variable is named by letters, digits and underscores, a letter first", None);
            } else if text.contains('\0') {
                self.problem(&at, "a variable holds no zero byte", None);
            } else {
                environment.insert(name.to_owned(), text);
            }
        }
        environment
    }
}

/// What Lambda would start.
fn usual_command(runtime: Option<&str>, handler: Option<&str>) -> Option<Vec<String>> {
    match (runtime?, handler) {
        (runtime, Some(handler)) if runtime.starts_with("python") => {
            Some(["python3", "-m", "awslambdaric", handler].map(str::to_owned).to_vec())
        }
        (runtime, _) if runtime.starts_with("provided") => Some(vec!["./bootstrap".to_owned()]),
        _ => None,
    }
}

/// A program that is named by a path is meant from the folder it runs in; one without is looked for in `PATH`.
fn found_in(code: &Path, mut command: Vec<String>) -> Vec<String> {
    if let Some(program) = command.first_mut().filter(|program| program.contains('/')) {
        *program = code.join(&*program).display().to_string();
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn function(text: &str) -> LocalFunction {
        let text = format!("functions:\n  f: {text}\n");
        Configuration::parse(&text).unwrap().functions.remove("f").unwrap()
    }

    #[test]
    fn a_function_is_told_by_its_command_or_its_runtime() {
        let here = path::absolute(".").unwrap();
        for (text, command) in [
            ("{command: [a, b]}", vec!["a", "b"]),
            ("{command: a b | c}", vec!["/bin/sh", "-c", "a b | c"]),
            ("{runtime: python3.12, handler: f.h}", vec!["python3", "-m", "awslambdaric", "f.h"]),
            ("{runtime: python3.12, handler: f.h, command: [python3.12, run.py]}", vec!["python3.12", "run.py"]),
            ("{runtime: provided.al2023, code: /x}", vec!["/x/./bootstrap"]),
            ("{command: [/bin/a], code: /x}", vec!["/bin/a"]),
        ] {
            assert_eq!(function(text).command, command, "{text}");
        }
        let all = function(
            "{command: [a], code: c, runtime: nodejs22.x, handler: h, environment: {A: x, B: 1, C: true}, timeout_seconds: 900, memory_size: 512, concurrency: 2}",
        );
        let environment: Vec<_> = all.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(environment, ["A=x", "B=1", "C=true"]);
        assert_eq!((all.timeout_seconds, all.memory_size, all.concurrency), (900, 512, 2));
        assert_eq!((all.code.as_path(), all.runtime.as_deref()), (here.join("c").as_path(), Some("nodejs22.x")));
        let least = function("{command: [a]}");
        assert_eq!((least.timeout_seconds, least.memory_size, least.concurrency), (3, 128, 10));
        assert_eq!(least.code, here);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        for (text, place, expected) in [
            ("{comand: [a]}", "2:7: ", "did you mean `command`?"),
            ("{}", "2:6: ", "needs a `command`"),
            ("{runtime: java21, handler: h}", "2:6: ", "needs a `command`"),
            ("{runtime: python3.12}", "2:6: ", "needs a `command`"),
            ("{runtime: cobol, command: [a]}", "2:16: ", "no runtime of Lambda"),
            ("{command: []}", "2:16: ", "a list of texts"),
            ("{command: [a, 1]}", "2:16: ", "a list of texts"),
            ("{command: [a], timeout_seconds: 901}", "2:38: ", "1 to 900"),
            ("{command: [a], timeout_seconds: 0}", "2:38: ", "1 to 900"),
            ("{command: [a], memory_size: 64}", "2:34: ", "128 to 10240"),
            ("{command: [a], concurrency: many}", "2:34: ", "1 to 1000"),
            ("{command: [a], environment: {AWS_REGION: x}}", "2:47: ", "Lambda sets itself"),
            ("{command: [a], environment: {AWS_LAMBDA_X: x}}", "2:49: ", "Lambda sets itself"),
            ("{command: [a], environment: {1A: x}}", "2:39: ", "a letter first"),
            ("{command: [a], environment: {A: [secret]}}", "2:38: ", "a text is wanted"),
        ] {
            let text = format!("functions:\n  f: {text}\n");
            let found = Configuration::parse(&text).unwrap_err();
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert!(
                found.len() == 1 && found[0].starts_with(place) && found[0].contains(expected),
                "{text}: {found:?}"
            );
        }
        let named = Configuration::parse("functions:\n  f.g: {command: [a]}\n").unwrap_err();
        assert!(named[0].to_string().contains("1 to 64 letters"), "{named:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let configuration = Configuration::parse("functions:\n  f: {command: [a], code: /no/such/folder}\n").unwrap();
        let expected = ["the `code` of the function `f` is no folder that is there: /no/such/folder"];
        assert_eq!(configuration.functions_without_code(), expected);
    }
}
