//! Runs the tests of a guardrail in an emulated account: arrange, inspect, fix, fix again, undo, undo again. What a test says, and
//! what it goes through, is told in [`detection::guardrail::test`].
//!
//! The fragments run as they do in a response: by the engine, on a store of its own in a temporary folder.

mod fragment;
mod script;
#[cfg(test)]
mod tests;

use aws::{Aws, Call, CallError, Options};
use detection::{Compliance, Event, Guardrail, guardrail::Test};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;

use fragment::Fragments;
use script::Script;

/// Attempts of one call of a test's own.
const ATTEMPTS: u32 = 3;
/// For one attempt.
const TIMEOUT_SECONDS: u64 = 20;

/// Where tests run.
const REGION: &str = "us-east-1";

/// Why an account is no place for tests.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotEmulated {
    /// It may be a real one.
    #[error(
        "guardrails are tested in an emulated account only, and calls would go to {0}: set AWS_ENDPOINT_URL to an emulator on \
         this machine, for instance http://127.0.0.1:5000"
    )]
    Elsewhere(String),
    /// Nothing answers there.
    #[error("the emulated account does not answer: {0}")]
    NoAnswer(String),
    /// The engine can't be started here.
    #[error("the fragments of guardrails can't be run here: {0}")]
    NoEngine(String),
}

/// An account that is not real, on this machine, and an engine that runs fragments in it.
pub struct EmulatedAccount {
    aws: Aws,
    account: String,
    region: String,
    fragments: Fragments,
}

impl EmulatedAccount {
    /// The account behind the endpoints of `options`; refused unless each of them is on this machine. Whatever the options' own
    /// Region, it is used in `us-east-1`, the one Region in which a test can make a bucket without naming a location.
    pub async fn new(options: Options) -> Result<EmulatedAccount, NotEmulated> {
        let general = options.endpoint_url.as_deref().ok_or_else(|| NotEmulated::Elsewhere("AWS".to_owned()))?;
        let elsewhere =
            options.endpoint_urls.values().map(String::as_str).chain([general]).find(|url| !is_on_this_machine(url));
        if let Some(url) = elsewhere {
            return Err(NotEmulated::Elsewhere(format!("`{url}`")));
        }
        let region = REGION.to_owned();
        let aws = Aws::new(options);
        let identity = call(&aws, &region, "sts", "getCallerIdentity", json!({})).await;
        let identity = identity.map_err(|error| NotEmulated::NoAnswer(error.to_string()))?;
        let account = identity.get("Account").and_then(Value::as_str).unwrap_or("000000000000").to_owned();
        let fragments = Fragments::start(&aws, &account, &region).await.map_err(NotEmulated::NoEngine)?;
        Ok(EmulatedAccount { aws, account, region, fragments })
    }
}

fn is_on_this_machine(url: &str) -> bool {
    let uri: Option<http::Uri> = url.parse().ok();
    uri.as_ref().and_then(http::Uri::host).is_some_and(crate::channels::webhook::is_loopback)
}

async fn call(aws: &Aws, region: &str, service: &str, action: &str, parameters: Value) -> Result<Value, CallError> {
    aws.call(Call {
        service: service.to_owned(),
        action: action.to_owned(),
        parameters,
        region: Some(region.to_owned()),
        role_arn: None,
        idempotency_token: None,
        attempts: ATTEMPTS,
        timeout_seconds: TIMEOUT_SECONDS,
        answer_bytes: None,
    })
    .await
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// The guardrail's id.
    pub guardrail: String,
    /// The test's name.
    pub name: String,
    /// Why it failed, if it did.
    pub failure: Option<TestFailure>,
}

/// Why a test failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{step}: {why}")]
pub struct TestFailure {
    /// In which step: `arrange`, `inspect`, `fix`, `inspect after the fix` …
    pub step: String,
    /// What was expected, and what came.
    pub why: String,
}

/// Runs all tests of a guardrail, one after the other.
pub async fn run(guardrail: &Guardrail, account: &EmulatedAccount) -> Vec<TestOutcome> {
    let mut outcomes = Vec::new();
    for test in &guardrail.tests {
        let mut script = Script::new(&account.aws, &account.account, &account.region);
        let run = Run { guardrail, test, account };
        let result = run.go(&mut script).await;
        // Also after a failure, or the next test would fail for this one's sake.
        let cleaned = script.calls(&test.cleanup).await.map_err(|why| failed("cleanup", why));
        outcomes.push(TestOutcome {
            guardrail: guardrail.id.clone(),
            name: test.name.clone(),
            failure: result.and(cleaned).err(),
        });
    }
    outcomes
}

/// What an inspection says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspection {
    compliance: Compliance,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    before: Value,
}

fn failed(step: &str, why: impl Into<String>) -> TestFailure {
    TestFailure { step: step.to_owned(), why: why.into() }
}

/// A test under way.
struct Run<'a> {
    guardrail: &'a Guardrail,
    test: &'a Test,
    account: &'a EmulatedAccount,
}

impl Run<'_> {
    async fn go(&self, script: &mut Script<'_>) -> Result<(), TestFailure> {
        script.calls(&self.test.arrange).await.map_err(|why| failed("arrange", why))?;
        let resource = self.resource(script).map_err(|why| failed("event", why))?;
        let first = self.inspect(&resource, "inspect", self.test.expect).await?;
        if self.test.expect != Compliance::NonCompliant {
            return Ok(());
        }
        let observed = script.observe(&self.test.observe).await.map_err(|why| failed("observe", why))?;

        self.change(&resource, &first.before, "fix", "fix").await?;
        let fixed = self.inspect(&resource, "inspect after the fix", Compliance::Compliant).await?;
        let observed_fixed = self.observe(script, "observe after the fix").await?;
        self.compare_fixed(&observed, &observed_fixed)?;

        self.change(&resource, &first.before, "fix", "fix again").await?;
        self.same(&observed_fixed, &self.observe(script, "observe after the second fix").await?, "fix again")?;
        let again = self.inspect(&resource, "inspect after the second fix", Compliance::Compliant).await?;
        self.same(&fixed.before, &again.before, "inspect after the second fix")?;

        self.change(&resource, &first.before, "undo", "undo").await?;
        self.same(&observed, &self.observe(script, "observe after the undo").await?, "undo")?;
        let undone = self.inspect(&resource, "inspect after the undo", self.test.expect).await?;
        let (was, is) = (without_new_ids(&first.before), without_new_ids(&undone.before));
        self.same(&was, &is, "`Before` after the undo")?;

        self.change(&resource, &first.before, "undo", "undo again").await?;
        self.same(&observed, &self.observe(script, "observe after the second undo").await?, "undo again")
    }

    /// The resource that the guardrail finds in the test's event: `{Id, Type, Account, Region, Arn}`.
    fn resource(&self, script: &mut Script<'_>) -> Result<Value, String> {
        let event = Event::from_envelope(self.envelope(script.fill(&self.test.event)?))?;
        if !self.guardrail.pattern.matches(&event.envelope()) {
            return Err("the guardrail's pattern does not match the event".to_owned());
        }
        let sightings = self.guardrail.sightings(&event).map_err(|error| error.to_string())?;
        let [sighting] = sightings.as_slice() else {
            return Err(format!("the event has to name one resource, and it names {}", sightings.len()));
        };
        script.set("resource", json!(sighting.resource));
        Ok(json!({
            "Id": sighting.resource,
            "Type": sighting.resource_type,
            "Account": sighting.account,
            "Region": sighting.region,
            "Arn": detection::arn::arn(&sighting.resource_type, &sighting.resource, &sighting.account, &sighting.region),
        }))
    }

    /// The event with all that AWS fills in.
    fn envelope(&self, mut event: Value) -> Value {
        let EmulatedAccount { account, region, .. } = self.account;
        let now = Timestamp::now();
        let fill = |object: &mut Value, fields: Value| {
            if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
                for (name, value) in fields {
                    object.entry(name).or_insert(value);
                }
            }
        };
        let id = Uuid::new_v4().to_string();
        let envelope = json!({
            "version": "0", "id": id, "account": account, "region": region, "time": now, "resources": [], "detail": {},
        });
        fill(&mut event, envelope);
        if let Some(detail) = event.get_mut("detail") {
            let arn = format!("arn:aws:iam::{account}:user/test");
            let identity = json!({"type": "IAMUser", "arn": arn, "accountId": account, "userName": "test"});
            let filled = json!({
                "eventVersion": "1.09", "eventID": id, "eventTime": now, "awsRegion": region, "recipientAccountId": account,
                "userIdentity": identity,
            });
            fill(detail, filled);
        }
        event
    }

    async fn inspect(&self, resource: &Value, step: &str, expected: Compliance) -> Result<Inspection, TestFailure> {
        let output = self.fragment(&self.guardrail.inspect, resource, &Value::Null, step).await?;
        let inspection = Inspection::deserialize(&output).map_err(|error| {
            failed(step, format!("it has to say {{Compliance, Reason, Before}}: {error}: {output}"))
        })?;
        if inspection.compliance == expected {
            return Ok(inspection);
        }
        Err(failed(
            step,
            format!(
                "it should say {}, and says {}: {}",
                word(expected),
                word(inspection.compliance),
                inspection.reason
            ),
        ))
    }

    async fn change(&self, resource: &Value, before: &Value, part: &str, step: &str) -> Result<(), TestFailure> {
        let fragment = if part == "fix" { &self.guardrail.fix } else { &self.guardrail.undo };
        self.fragment(fragment, resource, before, step).await.map(drop)
    }

    async fn fragment(
        &self,
        fragment: &Value,
        resource: &Value,
        before: &Value,
        step: &str,
    ) -> Result<Value, TestFailure> {
        let parameters: Map<String, Value> = self.guardrail.parameters_with(&self.test.parameters);
        let input = json!({"resource": resource, "parameters": parameters, "before": before});
        self.account.fragments.run(fragment, &input).await.map_err(|why| failed(step, why))
    }

    async fn observe(&self, script: &Script<'_>, step: &str) -> Result<Value, TestFailure> {
        script.observe(&self.test.observe).await.map_err(|why| failed(step, why))
    }

    /// What each observation says that the fix does to it.
    fn compare_fixed(&self, before: &Value, after: &Value) -> Result<(), TestFailure> {
        let values = |observed: &Value| observed.as_array().cloned().unwrap_or_default();
        for ((observation, before), after) in self.test.observe.iter().zip(values(before)).zip(values(after)) {
            let step = format!("{}:{} after the fix", observation.service, observation.action);
            match &observation.fixed {
                None => {}
                Some(Value::String(word)) if word == "unchanged" => self.same(&before, &after, &step)?,
                Some(expected) => self.same(expected, &after, &step)?,
            }
        }
        Ok(())
    }

    fn same(&self, expected: &Value, actual: &Value, step: &str) -> Result<(), TestFailure> {
        if expected == actual {
            return Ok(());
        }
        Err(failed(step, format!("it should be {expected}, and is {actual}")))
    }
}

fn word(compliance: Compliance) -> String {
    json!(compliance).as_str().unwrap_or_default().to_owned()
}

/// A value less the ids that AWS gives (`sgr-0123456789abcdef0`), its lists sorted: what was made anew has another id, and by
/// that another place.
fn without_new_ids(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.split_once('-') {
            Some((kind, id)) if is_id(id) => json!(format!("{kind}-…")),
            _ => value.clone(),
        },
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(without_new_ids).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), without_new_ids(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Whether a text is the second part of an EC2 id: 8 or 17 hexadecimal digits.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 8 | 17) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
