//! Performs what the machine asks for, with simulated time.

use std::collections::{BTreeMap, BTreeSet};

use asl::{Document, Format, StateMachine, parse::AnyResource};
use detection::{
    Event, Finding, FindingInput, Guardrail, Mode, Settings,
    decide::{Decision, Facts},
    guardrail::CompileOptions,
};
use execution::{Command, Ended, Execution, ExecutionStart, Input, Moment, ScheduledTask, Status, Timer, step};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::account::{Account, Answer};

/// What becomes of answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// They arrive.
    Arrive,
    /// The first answer of each call of a function is lost on its way, after the work was done.
    LostOnce,
    /// Every task of this state fails.
    Fails(String),
}

/// A guardrail, and its machine.
pub struct Compiled {
    guardrail: Guardrail,
    machine: StateMachine,
}

impl Compiled {
    pub fn new(text: &str) -> Compiled {
        let document = Document::parse(text, Format::Yaml).unwrap();
        let (guardrail, _) = Guardrail::parse(&document, &AnyResource).unwrap();
        let definition = guardrail.compile(&CompileOptions::default()).to_string();
        let document = Document::parse(&definition, Format::Json).unwrap();
        let (machine, _) = asl::parse::parse(&document, &AnyResource).unwrap();
        Compiled { guardrail, machine }
    }
}

/// One guardrail, one finding, one account.
pub struct Home {
    machine: &'static StateMachine,
    is_bucket: bool,
    settings: Settings,
    finding: Finding,
    /// What was answered to whom.
    answered: BTreeMap<String, Value>,
    lost: BTreeSet<String>,
    now: Timestamp,
    seed: u8,
    ended: Option<Ended>,
    pub account: Account,
    pub answers: Answers,
    /// What a person answers; nobody does.
    pub answer: Option<Value>,
    /// An event arrives just before the first close; whether somebody reopened the resource, or it is the fix's own.
    pub before_close: Option<bool>,
    /// How often somebody opens the resource again just before a fix, and an event tells.
    pub opened_before_fixes: u64,
    /// The kinds of what people were told.
    pub told: Vec<String>,
    /// What they were told, without the questions.
    pub texts: Vec<String>,
    pub states_called: Vec<String>,
    pub counted_fixes: u64,
}

impl Home {
    pub fn new(compiled: &'static Compiled, mode: Mode, account: Account) -> Home {
        let Compiled { guardrail, machine } = compiled;
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        let event = Event {
            id: "event".to_owned(),
            source: "aws".to_owned(),
            detail_type: "AWS API Call via CloudTrail".to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
            time: now,
            resources: Vec::new(),
            detail: json!({"requestParameters": {"bucketName": "b", "groupId": "sg-1"}, "userIdentity": {"type": "Root"}}),
        };
        let sighting = guardrail.sightings(&event).unwrap().remove(0);
        let settings = Settings { mode, mode_is_its_own: true, ..Settings::of_risk(guardrail.risk) };
        Home {
            machine,
            is_bucket: guardrail.resource_type == "AWS::S3::Bucket",
            settings,
            finding: Finding::sight(None, &sighting, now).finding,
            answered: BTreeMap::new(),
            lost: BTreeSet::new(),
            now,
            seed: 0,
            ended: None,
            account,
            answers: Answers::Arrive,
            answer: None,
            before_close: None,
            opened_before_fixes: 0,
            told: Vec::new(),
            texts: Vec::new(),
            states_called: Vec::new(),
            counted_fixes: 0,
        }
    }

    pub fn finding(&self) -> &Finding {
        &self.finding
    }

    pub fn status(&self) -> Status {
        self.ended.as_ref().unwrap().status
    }

    pub fn outcome(&self) -> Value {
        let ended = self.ended.as_ref().unwrap();
        ended.output.clone().unwrap_or_else(|| panic!("{ended:?}"))
    }

    pub fn is_shut(&self) -> bool {
        if self.is_bucket { self.account.is_bucket_shut() } else { self.account.is_group_shut() }
    }

    pub fn resource(&self) -> Value {
        let Finding { resource, resource_type, account, region, .. } = &self.finding;
        json!({"Id": resource, "Type": resource_type, "Account": account, "Region": region})
    }

    pub fn respond(&mut self) {
        let name = self.finding.under_way.as_ref().unwrap().execution_name.clone();
        self.run(json!({"Action": "respond", "FindingId": self.finding.id, "Resource": self.resource()}), &name);
    }

    pub fn undo(&mut self) {
        let ask = FindingInput::UndoAsked { person: "ann".to_owned(), until: None };
        let answer = self.apply(&ask, "ann").unwrap();
        self.run(answer["Input"].clone(), answer["ExecutionName"].as_str().unwrap());
    }

    /// Runs an execution to its end; the engine's part in one that fails is played too.
    pub fn run(&mut self, input: Value, name: &str) {
        let arn = format!("arn:aws:states:eu-west-1:111122223333:execution:rectify:{name}");
        let mut execution = Execution::new();
        let mut tasks: Vec<ScheduledTask> = Vec::new();
        let mut timers: BTreeMap<Timer, Timestamp> = BTreeMap::new();
        let mut next = Input::StartExecution(Box::new(ExecutionStart {
            execution_arn: arn.clone(),
            name: name.to_owned(),
            state_machine_arn: "arn:aws:states:eu-west-1:111122223333:stateMachine:rectify".to_owned(),
            state_machine_name: "rectify".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/r".to_owned(),
            express: false,
            input: input.to_string(),
            quotas: execution::Quotas::AWS,
        }));
        self.ended = None;
        let mut goes_on = false;
        while self.ended.is_none() {
            self.seed = self.seed.wrapping_add(1);
            let done =
                step(self.machine, &mut execution, next, Moment { now: self.now, seed: [self.seed; 32] }).unwrap();
            for command in done.commands {
                match command {
                    Command::ScheduleTask(task) => tasks.push(*task),
                    Command::CancelTask { event_id } => tasks.retain(|task| task.event_id != event_id),
                    Command::StartTimer { timer, at } => _ = timers.insert(timer, at),
                    Command::CancelTimer { timer } => _ = timers.remove(&timer),
                    Command::HandOver(_) => panic!("no guardrail has an activity"),
                    Command::StartMapRun(_) | Command::RedriveMapRun(_) | Command::StopMapRun { .. } => {
                        panic!("no guardrail has a Distributed Map")
                    }
                    Command::Continue => goes_on = true,
                    Command::CompleteExecution(ended) => self.ended = Some(ended),
                }
            }
            if std::mem::take(&mut goes_on) && self.ended.is_none() {
                next = Input::Continue;
                continue;
            }
            next = match tasks.pop() {
                Some(task) => self.perform(&task, &arn),
                None => match timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at)) {
                    Some((timer, at)) => {
                        timers.remove(&timer);
                        self.now = self.now.max(at);
                        Input::TimerFired { timer }
                    }
                    None if self.ended.is_some() => return self.after_the_end(&arn),
                    None => panic!("nothing goes on"),
                },
            };
        }
        self.after_the_end(&arn);
    }

    fn after_the_end(&mut self, arn: &str) {
        if self.status() != Status::Succeeded {
            let input = FindingInput::ExecutionFailed {
                status: "FAILED".to_owned(),
                error: String::new(),
                cause: String::new(),
            };
            self.apply(&input, arn).unwrap();
        }
    }

    fn perform(&mut self, task: &ScheduledTask, arn: &str) -> Input {
        self.now = self.now.checked_add(SignedDuration::from_millis(5)).unwrap();
        if !self.states_called.contains(&task.state_name) {
            self.states_called.push(task.state_name.clone());
        }
        let event_id = task.event_id;
        let failed =
            |(error, cause): (String, String)| Input::TaskFailed { event_id, error: Some(error), cause: Some(cause) };
        if self.answers == Answers::Fails(task.state_name.clone()) {
            return failed(("S3.S3Exception".to_owned(), "Access Denied (Status Code: 403)".to_owned()));
        }
        if let Some(call) = task.resource.strip_prefix("arn:aws:states:::aws-sdk:") {
            return match self.account.call(call, &task.arguments) {
                Ok(output) => Input::TaskSucceeded { event_id, output },
                Err(error) => failed(error),
            };
        }
        let function = task.arguments["FunctionName"].as_str().unwrap().to_owned();
        let payload = &task.arguments["Payload"];
        let answer = self.function(&function, payload, arn);
        let key = format!("{arn} {} {}", task.state_name, payload["Round"]);
        if self.answers == Answers::LostOnce && self.lost.insert(key) {
            return failed(("Lambda.ServiceException".to_owned(), "the answer was lost".to_owned()));
        }
        match (answer, function.as_str()) {
            (Err(error), _) => failed(error),
            (Ok(_), "${function.ask}") => match self.answer.clone() {
                Some(output) => Input::TaskSucceeded { event_id, output },
                // Nobody answers: the task's own time-out comes.
                None => Input::TaskSubmitted { event_id, output: json!({}) },
            },
            (Ok(answer), _) => Input::TaskSucceeded { event_id, output: json!({"StatusCode": 200, "Payload": answer}) },
        }
    }

    /// A built-in function, as [`detection::finding::request`] tells it.
    fn function(&mut self, name: &str, payload: &Value, arn: &str) -> Answer {
        let call = format!("{arn} {}#{}", payload["State"], payload["Round"]);
        match name {
            "${function.owner}" => {
                assert_eq!(payload["Actor"], json!({"type": "Root"}));
                Ok(json!({"Owners": [{"Name": "ann", "From": "tag Owner", "Confidence": "high"}]}))
            }
            "${function.tell}" => {
                let text = payload["Text"].as_str().unwrap();
                assert!(text.contains(&self.finding.resource), "{payload}");
                self.texts.push(text.to_owned());
                self.tell(call, payload["Kind"].as_str().unwrap());
                Ok(json!({"Results": [{"Channel": "team", "Ok": true}]}))
            }
            "${function.ask}" => {
                let token = payload["TaskToken"].as_str().unwrap();
                let asked =
                    json!({"Action": "asked", "TaskToken": token, "DeadlineSeconds": payload["DeadlineSeconds"]});
                let answer = self.once(format!("{call} {token}"), &asked, arn)?;
                if answer["AlreadyAsked"] == false {
                    self.tell(call, "question");
                }
                Ok(answer)
            }
            _ => {
                if payload["Action"] == "close" && payload["Compliance"] == "COMPLIANT" {
                    self.something_happens();
                }
                if payload["Action"] == "fixing" && self.opened_before_fixes > 0 {
                    self.opened_before_fixes -= 1;
                    self.before_close = Some(true);
                    self.something_happens();
                }
                self.once(call, payload, arn)
            }
        }
    }

    fn tell(&mut self, call: String, kind: &str) {
        if self.answered.insert(call, Value::Null).is_none() {
            self.told.push(kind.to_owned());
        }
    }

    fn something_happens(&mut self) {
        let Some(reopened) = self.before_close.take() else { return };
        if reopened {
            self.account.reopen();
        }
        let sighting = detection::Sighting {
            guardrail: self.finding.guardrail.clone(),
            title: self.finding.title.clone(),
            severity: self.finding.severity,
            resource_type: self.finding.resource_type.clone(),
            resource: self.finding.resource.clone(),
            account: self.finding.account.clone(),
            region: self.finding.region.clone(),
            event_id: "late".to_owned(),
            event_time: self.now,
            actor: Some(json!({"type": "Root"})),
            rule: None,
        };
        let sighted = Finding::sight(Some(&self.finding), &sighting, self.now);
        assert!(sighted.start.is_none(), "the response under way takes it along");
        self.finding = sighted.finding;
    }

    /// What a store does: the same call again changes nothing and is answered the same.
    fn once(&mut self, call: String, payload: &Value, arn: &str) -> Answer {
        if let Some(answer) = self.answered.get(&call) {
            return Ok(answer.clone());
        }
        let input: FindingInput = serde_json::from_value(payload.clone())
            .map_err(|error| ("InvalidPayload".to_owned(), format!("{error}: {payload}")))?;
        let answer = self.apply(&input, arn)?;
        self.answered.insert(call, answer.clone());
        Ok(answer)
    }

    fn apply(&mut self, input: &FindingInput, by: &str) -> Answer {
        let facts = Facts::default();
        let change = self
            .finding
            .apply(input, by, &self.settings, &facts, self.now)
            .map_err(|illegal| ("IllegalFindingInput".to_owned(), illegal.to_string()))?;
        self.finding = change.finding;
        self.counted_fixes += u64::from(change.decision == Some(Decision::Fix));
        Ok(change.answer)
    }
}
