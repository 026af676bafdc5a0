//! State machines by chance: valid, of all types of states, within each other.
//!
//! What a task is to do is told by its arguments (its *script*), so that the same call is answered in the same way whenever, and however
//! often, it is made. Of a *determined* machine the answers alone decide the output: it has no time-outs, and nothing can fail in it
//! beside something else that goes on.

use std::sync::{Arc, OnceLock};

use asl::StateMachine;
use serde_json::{Map, Value, json};

use super::{random::Random, reference};

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/r";
pub(super) const ACTIVITY: &str = "arn:aws:states:eu-central-1:123456789012:activity:a";
/// An activity that nobody has made.
const NO_ACTIVITY: &str = "arn:aws:states:eu-central-1:123456789012:activity:none";
pub(super) const CALL: &str = "arn:aws:states:::aws-sdk:sqs:sendMessage";
pub(super) const ASK: &str = "arn:aws:states:::aws-sdk:sqs:sendMessage.waitForTaskToken";
pub(super) const JOB: &str = "arn:aws:states:::glue:startJobRun.sync";
pub(super) const NESTED: &str = "arn:aws:states:::states:startExecution.sync:2";
/// States of a machine that clients start, and of another, about.
const STATES: usize = 8;
const FEW_STATES: usize = 4;

/// A machine, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) definition: Value,
    parsed: Arc<OnceLock<StateMachine>>,
    pub(super) is_express: bool,
    pub(super) is_determined: bool,
}

impl Machine {
    /// Parsed when it is needed: that takes long.
    pub(super) fn parsed(&self) -> &StateMachine {
        self.parsed.get_or_init(|| reference::parse(&self.definition))
    }
}

/// What kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Whatever there is; `true`: determined.
    Any(bool),
    /// It may be called by another.
    Nested,
    /// Of type EXPRESS.
    Express,
    /// It responds to a finding.
    Response,
}

pub(super) fn arn_of(machine: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}")
}

pub(super) fn machine(random: &mut Random, name: &str, purpose: Use) -> Machine {
    let is_determined = matches!(purpose, Use::Any(true) | Use::Nested | Use::Express);
    let is_jsonata = random.chance(50);
    let left = if matches!(purpose, Use::Any(_)) { STATES } else { FEW_STATES };
    let mut maker = Maker { random, purpose, is_determined, is_jsonata, number: 0, is_first: true, left };
    let mut definition = maker.chain(2, purpose == Use::Nested, &[]);
    if is_jsonata {
        definition["QueryLanguage"] = json!("JSONata");
    }
    if !is_determined && maker.random.chance(30) {
        definition["TimeoutSeconds"] = json!(maker.random.between(20, 300));
    }
    Machine {
        name: name.to_owned(),
        definition,
        parsed: Arc::default(),
        is_express: purpose == Use::Express,
        is_determined,
    }
}

/// What begins an execution: whatever its machine, it finds this in its input.
pub(super) fn input(random: &mut Random) -> String {
    let count = random.between(0, 4);
    json!({"items": (0..count).collect::<Vec<_>>(), "n": random.between(0, 9)}).to_string()
}

struct Maker<'r> {
    random: &'r mut Random,
    purpose: Use,
    is_determined: bool,
    is_jsonata: bool,
    /// Of the last name, or state.
    number: u32,
    is_first: bool,
    /// States that may still come.
    left: usize,
}

impl Maker<'_> {
    /// States one after another. What fails in it while something beside it goes on (`beside`) would make the output depend on time.
    fn chain(&mut self, depth: u32, beside: bool, variables: &[String]) -> Value {
        let mut variables = variables.to_vec();
        let most = if depth == 2 { 4 } else { 2 };
        let count = self.random.between(1, most);
        let names: Vec<String> = (0..count)
            .map(|_| {
                self.number += 1;
                format!("S{}", self.number)
            })
            .collect();
        let mut states = Map::new();
        let mut is_skipped = false;
        for (index, name) in names.iter().enumerate() {
            self.left = self.left.saturating_sub(1);
            let next = names.get(index + 1);
            let mut state = self.state(depth, beside, &variables, (next.is_none(), is_skipped || index == 0));
            is_skipped = false;
            let fields = state.as_object_mut().expect("a state is an object");
            match fields["Type"].as_str() {
                Some("Choice") => {
                    let after = names.get(index + 2).or(next).expect("a Choice is not the last");
                    fields["Choices"][0]["Next"] = json!(next);
                    fields.insert("Default".to_owned(), json!(after));
                    is_skipped = true;
                }
                Some("Succeed" | "Fail") => {}
                _ => {
                    let (key, value) = next.map_or(("End", json!(true)), |next| ("Next", json!(next)));
                    fields.insert(key.to_owned(), value);
                    match (next, fields.get_mut("Catch")) {
                        (Some(next), Some(catch)) => catch[0]["Next"] = json!(next),
                        (None, Some(_)) => {
                            fields.remove("Catch");
                        }
                        _ => {}
                    }
                }
            }
            if let Some(assigned) = fields.get("Assign").and_then(Value::as_object) {
                variables.extend(assigned.keys().map(|name| name.trim_end_matches(".$").to_owned()));
            }
            states.insert(name.clone(), state);
        }
        json!({"StartAt": names[0], "States": states})
    }

    fn state(&mut self, depth: u32, beside: bool, variables: &[String], (last, skipped): (bool, bool)) -> Value {
        let jsonata = self.is_jsonata || self.random.chance(25);
        let first = std::mem::take(&mut self.is_first);
        self.number += 1;
        let mut state = match self.random.between(0, 19) {
            _ if first && self.purpose == Use::Express => self.task(jsonata, beside || last, variables),
            0 | 1 => self.pass(jsonata, skipped),
            2 | 3 => self.wait(jsonata),
            4 | 5 if !last => choice(jsonata),
            4 => json!({"Type": "Succeed"}),
            5 if last && !beside && self.purpose != Use::Nested => {
                json!({"Type": "Fail", "Error": "Failed", "Cause": "so"})
            }
            6..=8 if depth > 0 && self.left > 2 => self.parallel(jsonata, depth, variables),
            9..=11 if depth > 0 && self.left > 2 && self.purpose != Use::Response => {
                self.map(jsonata, depth, variables)
            }
            _ => self.task(jsonata, beside || last, variables),
        };
        if jsonata && !self.is_jsonata {
            state["QueryLanguage"] = json!("JSONata");
        }
        state
    }

    fn pass(&mut self, jsonata: bool, skipped: bool) -> Value {
        let variable = format!("v{}", self.number);
        let number = self.random.between(0, 99);
        match (jsonata, skipped) {
            (true, true) => {
                json!({"Type": "Pass", "Output": format!("{{% $merge([$states.input, {{'p': {number}}}]) %}}")})
            }
            (true, false) => {
                json!({"Type": "Pass", "Assign": {(variable): format!("{{% [$states.input.n, {number}] %}}")}})
            }
            (false, true) => json!({"Type": "Pass", "Result": {"x": number}, "ResultPath": "$.p"}),
            (false, false) => json!({"Type": "Pass", "Assign": {(variable): {"x": number}}}),
        }
    }

    fn wait(&mut self, jsonata: bool) -> Value {
        let seconds = match self.random.chance(80) {
            true => self.random.between(0, 20),
            false => self.random.between(60, 200),
        };
        match self.random.chance(70) {
            true => json!({"Type": "Wait", "Seconds": seconds}),
            false if jsonata => json!({"Type": "Wait", "Timestamp":
                format!("{{% $fromMillis($toMillis($states.context.Execution.StartTime) + {}) %}}", seconds * 1000)}),
            false => {
                json!({"Type": "Wait", "Timestamp": format!("2026-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60)})
            }
        }
    }

    fn parallel(&mut self, jsonata: bool, depth: u32, variables: &[String]) -> Value {
        let branches: Vec<Value> =
            (0..self.random.between(1, 2)).map(|_| self.chain(depth - 1, true, variables)).collect();
        let mut state = json!({"Type": "Parallel", "Branches": branches});
        self.result(&mut state, jsonata);
        if !self.is_determined {
            self.handlers(&mut state, jsonata, 0);
        }
        state
    }

    fn map(&mut self, jsonata: bool, depth: u32, variables: &[String]) -> Value {
        let is_distributed =
            depth == 2 && !matches!(self.purpose, Use::Express | Use::Nested) && self.random.chance(50);
        // Children of a map run see no variables.
        let variables = if is_distributed { &[] } else { variables };
        let mut processor = self.chain(if is_distributed { 0 } else { depth - 1 }, true, variables);
        if is_distributed {
            // Express has neither tokens nor jobs.
            let kind = if processor.to_string().contains(CALL) && !waits(&processor) { "EXPRESS" } else { "STANDARD" };
            processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": kind});
        }
        let concurrency = self.random.between(0, 2);
        let mut state = json!({"Type": "Map", "ItemProcessor": processor, "MaxConcurrency": concurrency});
        let (field, selector) = match jsonata {
            true => ("Items", json!({"v": "{% $states.context.Map.Item.Value %}", "items": [1, 2], "n": 1})),
            false => ("ItemsPath", json!({"v.$": "$$.Map.Item.Value", "items": [1, 2], "n": 1})),
        };
        if is_distributed && self.random.chance(50) {
            let may_fail = !self.is_determined;
            let arguments = super::items::arguments(self.random.between(0, 14), may_fail);
            let most = self.random.pick(&[4, 100]);
            state["ItemReader"] = json!({"Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON", "MaxItems": most},
                (if jsonata { "Arguments" } else { "Parameters" }): arguments});
        } else {
            state[field] = json!(if jsonata { "{% $states.input.items %}" } else { "$.items" });
        }
        if is_distributed && self.random.chance(30) {
            state["ItemBatcher"] = json!({"MaxItemsPerBatch": 2, "BatchInput": {"items": [1, 2], "n": 1}});
            unpack(&mut state["ItemProcessor"], self.number);
        }
        state["ItemSelector"] = selector;
        self.result(&mut state, jsonata);
        if !self.is_determined {
            self.handlers(&mut state, jsonata, 0);
        }
        state
    }

    /// Where something fails for good, the whole fails; not `safe`ly in the last state or beside others.
    fn task(&mut self, jsonata: bool, beside: bool, variables: &[String]) -> Value {
        let resource = match (self.purpose, self.random.between(0, 9)) {
            (Use::Express, _) | (_, 0..=3) => CALL,
            (_, 4 | 5) => ASK,
            (_, 6) => JOB,
            (Use::Nested | Use::Response, _) | (_, 7 | 8) => {
                match self.random.chance(if self.is_determined { 0 } else { 5 }) {
                    true => NO_ACTIVITY,
                    false => ACTIVITY,
                }
            }
            _ => NESTED,
        };
        let fails = if self.random.chance(35) { self.random.between(1, 3) } else { 0 };
        let mut script = Map::new();
        script.insert("Id".to_owned(), json!(self.number));
        script.insert("Fails".to_owned(), json!(if resource == NESTED { 0 } else { fails }));
        let (key, attempt) = value(jsonata, "Attempt", "$states.context.State.RetryCount", "$$.State.RetryCount");
        script.insert(key, attempt);
        let (key, n) = match self.purpose {
            Use::Response => value(jsonata, "In", "$states.input.Action", "$.Action"),
            _ => value(jsonata, "In", "$states.input.n", "$.n"),
        };
        script.insert(key, n);
        if let Some(variable) = variables.last() {
            let variable = format!("${variable}");
            let (key, variable) = value(jsonata, "Variable", &variable, &variable);
            script.insert(key, variable);
        }
        let times_out = !self.is_determined && self.random.chance(60);
        script.insert("MayGetLost".to_owned(), json!(times_out));
        script.insert("MayFail".to_owned(), json!(!self.is_determined));
        if resource == ASK {
            let (key, token) = value(jsonata, "Token", "$states.context.Task.Token", "$$.Task.Token");
            script.insert(key, token);
        }
        let arguments = match resource {
            JOB => json!({"JobName": "j", "Arguments": script}),
            NESTED => {
                let (key, input) = value(jsonata, "Input", "{'items': [1, 2], 'n': 3}", "$");
                json!({"StateMachineArn": arn_of("nested"), (key): input})
            }
            _ => Value::Object(script),
        };
        let mut state = json!({"Type": "Task", "Resource": resource});
        state[if jsonata { "Arguments" } else { "Parameters" }] = arguments;
        self.result(&mut state, jsonata);
        if times_out {
            let seconds = self.random.between(6, 40);
            state["TimeoutSeconds"] = json!(seconds);
            if self.random.chance(40) {
                state["HeartbeatSeconds"] = json!(self.random.between(2, 5));
            }
        }
        let must = beside && fails > 0 && resource != NESTED;
        if must || self.random.chance(60) {
            self.handlers(&mut state, jsonata, if self.is_determined && must { fails } else { 0 });
        }
        state
    }

    /// What came of it is added to the input, which so stays an object with its items.
    fn result(&mut self, state: &mut Value, jsonata: bool) {
        let name = format!("r{}", self.number % 3);
        match jsonata {
            true => state["Output"] = json!(format!("{{% $merge([$states.input, {{'{name}': $states.result}}]) %}}")),
            false => state["ResultPath"] = json!(format!("$.{name}")),
        }
    }

    /// Retries, at least so many, and a Catch.
    fn handlers(&mut self, state: &mut Value, jsonata: bool, at_least: u64) {
        let mut retrier = json!({
            "ErrorEquals": ["Broken", "Throttled", "States.Timeout", "States.HeartbeatTimeout"],
            "IntervalSeconds": self.random.between(1, 10), "BackoffRate": self.random.pick(&[1.0, 1.5, 2.0]),
            "MaxAttempts": self.random.between(at_least, 3.max(at_least)),
        });
        if self.random.chance(50) {
            retrier["JitterStrategy"] = json!("FULL");
        }
        if self.random.chance(50) {
            retrier["MaxDelaySeconds"] = json!(20);
        }
        state["Retry"] = json!([retrier]);
        if self.random.chance(50) {
            state["Catch"] = match jsonata {
                true => json!([{"ErrorEquals": ["States.ALL"], "Next": "?",
                    "Output": "{% $merge([$states.input, {'e': $states.errorOutput.Error}]) %}"}]),
                false => json!([{"ErrorEquals": ["States.ALL"], "Next": "?", "ResultPath": "$.e"}]),
            };
        }
    }
}

fn choice(jsonata: bool) -> Value {
    match jsonata {
        true => json!({"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n > 4 %}"}]}),
        false => json!({"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 4}]}),
    }
}

/// A field whose value is an expression, in either language.
fn value(jsonata: bool, name: &str, expression: &str, path: &str) -> (String, Value) {
    match jsonata {
        true => (name.to_owned(), json!(format!("{{% {expression} %}}"))),
        false => (format!("{name}.$"), json!(path)),
    }
}

/// A batch becomes what a single item would be.
fn unpack(processor: &mut Value, number: u32) {
    let name = format!("B{number}");
    processor["States"][&name] = json!({"Type": "Pass", "QueryLanguage": "JSONata", "Next": processor["StartAt"],
        "Output": "{% $merge([$states.input.BatchInput, {'v': $states.input.Items.v}]) %}"});
    processor["StartAt"] = json!(name);
}

/// Whether something in there waits for somebody.
fn waits(flow: &Value) -> bool {
    let text = flow.to_string();
    [ASK, JOB, NESTED, ":activity:"].iter().any(|resource| text.contains(resource))
}
