//! A state: what all types share here, one file a type below.

pub mod catch;
pub mod choice;
pub mod fail;
pub mod map;
pub mod parallel;
pub mod pass;
pub mod retry;
pub mod succeed;
pub mod task;
pub mod wait;

use std::sync::Arc;

use query::{Language, Template, jsonpath::Path};
use serde_json::Value;

use crate::{
    Flow,
    nearest::did_you_mean,
    parse::{Allowed, Object, Parser, SCHEMA},
};

pub use catch::Catcher;
pub use choice::{Choice, ChoiceRule, Comparator, Condition, Operand};
pub use fail::Fail;
pub use map::{Distributed, ItemBatcher, ItemReader, Map, ProcessorMode, ResultWriter};
pub use parallel::Parallel;
pub use pass::Pass;
pub use retry::Retrier;
pub use task::Task;
pub use wait::{Wait, WaitUntil};

/// One state.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// `Comment`.
    pub comment: Option<String>,
    /// The query language of its fields.
    pub query_language: Language,
    /// `InputPath` (JSONPath).
    pub input_path: Selector,
    /// `Parameters` (JSONPath; Pass, Task, Map, Parallel).
    pub parameters: Option<Template>,
    /// `ResultSelector` (JSONPath; Task, Map, Parallel).
    pub result_selector: Option<Template>,
    /// `ResultPath` (JSONPath; Pass, Task, Map, Parallel).
    pub result_path: Selector,
    /// `OutputPath` (JSONPath).
    pub output_path: Selector,
    /// `Arguments` (JSONata; Task, Parallel).
    pub arguments: Option<Template>,
    /// `Output` (JSONata).
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Option<Template>,
    /// Where it goes on; `None` where `End` is true, and for Choice, Succeed and Fail.
    pub next: Option<String>,
    /// `Retry` (Task, Map, Parallel).
    pub retry: Vec<Retrier>,
    /// `Catch` (Task, Map, Parallel).
    pub catch: Vec<Catcher>,
    /// Its type and what only that type has.
    pub kind: Kind,
}

/// The eight state types.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Calls something.
    Task(Box<Task>),
    /// Hands on.
    Pass(Pass),
    /// Chooses.
    Choice(Choice),
    /// Waits.
    Wait(Wait),
    /// Ends well.
    Succeed,
    /// Ends badly.
    Fail(Fail),
    /// Does several things at once.
    Parallel(Parallel),
    /// Does one thing for each item.
    Map(Box<Map>),
}

/// `InputPath`, `OutputPath`, `ResultPath`: a path, all of it where nothing is said, or `null`.
#[derive(Clone, Debug, Default)]
pub enum Selector {
    /// `$`: nothing said.
    #[default]
    Whole,
    /// `null`: `{}` of an input or output; the result dropped for ResultPath.
    Null,
    /// A path.
    Path(Path),
}

impl State {
    /// The name of its type, as `Type` has it.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Task(_) => "Task",
            Kind::Pass(_) => "Pass",
            Kind::Choice(_) => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail(_) => "Fail",
            Kind::Parallel(_) => "Parallel",
            Kind::Map(_) => "Map",
        }
    }

    /// The flows inside of it: a Parallel's branches, a Map's processor.
    pub fn flows(&self) -> &[Arc<Flow>] {
        match &self.kind {
            Kind::Parallel(parallel) => &parallel.branches,
            Kind::Map(map) => std::slice::from_ref(&map.processor),
            _ => &[],
        }
    }
}

/// A state type: its name, the fields it has, and what reads those that no other type has.
type Type = (&'static str, &'static Allowed, fn(&mut Parser<'_>, &Object<'_>) -> Option<Kind>);

/// All state types, in the order in which AWS names them.
const TYPES: [Type; 8] = [
    ("Task", &task::FIELDS, task::parse),
    ("Wait", &wait::FIELDS, wait::parse),
    ("Pass", &pass::FIELDS, pass::parse),
    ("Succeed", &succeed::FIELDS, succeed::parse),
    ("Fail", &fail::FIELDS, fail::parse),
    ("Choice", &choice::FIELDS, choice::parse),
    ("Parallel", &parallel::FIELDS, parallel::parse),
    ("Map", &map::FIELDS, map::parse),
];

impl Parser<'_> {
    /// One state. Its problems are noted; without its type nothing more can be said of it.
    pub(crate) fn state(&mut self, name: &str, value: &Value, pointer: &str) -> Option<State> {
        let language = self.state_language(value, pointer);
        let (kind_name, fields, parse_kind) = self.state_type(value, pointer)?;
        let object = self.object(value, pointer, language, fields)?;
        self.query_language(&object);
        let next = if fields.both.contains(&"Next") { self.next(&object) } else { None };
        let kind = parse_kind(self, &object);
        Some(State {
            name: name.to_owned(),
            comment: self.text(&object, "Comment"),
            query_language: language,
            input_path: self.selector(&object, "InputPath"),
            // A Map's Parameters are the old name of its ItemSelector.
            parameters: if kind_name == "Map" { None } else { self.template(&object, "Parameters") },
            result_selector: self.template(&object, "ResultSelector"),
            result_path: self.result_path(&object),
            output_path: self.selector(&object, "OutputPath"),
            arguments: self.template(&object, "Arguments"),
            output: self.template(&object, "Output"),
            assign: self.assign(&object),
            next,
            retry: self.retriers(&object),
            catch: self.catchers(&object),
            kind: kind?,
        })
    }

    fn state_type(&mut self, value: &Value, pointer: &str) -> Option<Type> {
        let Some(state) = value.as_object() else {
            self.wrong_type(pointer, "[OBJECT]", value);
            return None;
        };
        let Some(written) = state.get("Type") else {
            self.problem(SCHEMA, pointer, "These fields are required: [Type]", None);
            return None;
        };
        let name = written.as_str().unwrap_or_default();
        let found = TYPES.into_iter().find(|(known, ..)| *known == name);
        if found.is_none() {
            let names = TYPES.map(|(name, ..)| name);
            let message = format!("The field 'Type' should have one of these values: [{}]", names.join(", "));
            self.problem(SCHEMA, format!("{pointer}/Type"), message, did_you_mean(name, names));
        }
        found
    }

    /// `Next` or `End: true`, one of them.
    fn next(&mut self, object: &Object<'_>) -> Option<String> {
        let help = "say by `Next` where it goes on, or set `End` to true if it is the last state";
        let next = self.text(object, "Next");
        match object.get("End") {
            Some(Value::Bool(false)) if !object.has("Next") => {
                let message = "This object should have only one of the following fields: [Next, End]";
                self.key_problem(SCHEMA, &object.pointer, message, Some(help.to_owned()));
            }
            Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) | None => {
                self.exactly_one(object, &["Next", "End"], help);
            }
            Some(other) => self.wrong_type(&object.at("End"), "[BOOLEAN]", other),
        }
        next
    }
}
