//! What to do about an occurrence, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a guardrail may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Tell, and change nothing.
    #[default]
    Alert,
    /// Ask a person first.
    Approve,
    /// Fix at once.
    Fix,
}

/// What fixing may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing that is meant to work.
    Safe,
    /// What somebody may rely on: asks first unless told otherwise.
    Disruptive,
}

/// What to do about an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing: an exception.
    Leave,
    /// Tell somebody.
    Tell,
    /// Ask somebody.
    Ask,
    /// Fix it.
    Fix,
}

/// How many fixes a guardrail may do in an hour in one account unless its settings say otherwise.
pub const DEFAULT_FIXES_PER_HOUR: u64 = 100;
/// How long a question waits unless the settings say otherwise, in seconds: a day.
pub const DEFAULT_APPROVAL_TIMEOUT_SECONDS: u64 = 86_400;

/// A guardrail's settings, from `rectify.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The mode that holds for it.
    pub mode: Mode,
    /// Whether the mode was set for this very guardrail: such a `fix` overrides `disruptive`'s asking first.
    pub mode_is_its_own: bool,
    /// The guardrail's risk.
    pub risk: Risk,
    /// Its parameters, defaults filled in: `$parameters`.
    pub parameters: Map<String, Value>,
    /// How many fixes it may do in an hour in one account.
    pub fixes_per_hour: u64,
    /// How long a question waits, in seconds.
    pub approval_timeout_seconds: u64,
}

impl Settings {
    /// The settings of a guardrail about which nothing is said: mode `alert`.
    pub fn of_risk(risk: Risk) -> Settings {
        Settings {
            mode: Mode::Alert,
            mode_is_its_own: false,
            risk,
            parameters: Map::new(),
            fixes_per_hour: DEFAULT_FIXES_PER_HOUR,
            approval_timeout_seconds: DEFAULT_APPROVAL_TIMEOUT_SECONDS,
        }
    }
}

/// Something that a guardrail leaves alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exception {
    /// The guardrail, or all.
    pub guardrail: Option<String>,
    /// The resource, or all.
    pub resource: Option<String>,
    /// The account, or all.
    pub account: Option<String>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub author: String,
    /// Until when.
    pub until: Timestamp,
}

impl Exception {
    /// Whether it leaves this resource alone now.
    pub fn covers(&self, subject: &Subject<'_>, now: Timestamp) -> bool {
        let says = |pattern: &Option<String>, value: &str| pattern.as_deref().is_none_or(|pattern| pattern == value);
        now < self.until
            && says(&self.guardrail, subject.guardrail)
            && says(&self.resource, subject.resource)
            && says(&self.account, subject.account)
    }

    /// Why something is left alone, in a sentence for people.
    pub fn why(&self) -> String {
        let Exception { author, until, reason, .. } = self;
        format!("an exception by {author} leaves it alone until {until}: {reason}")
    }
}

/// What a decision needs to know, fetched by the store in the same write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The exceptions there are.
    pub exceptions: Vec<Exception>,
    /// How many fixes this guardrail was allowed in this account in the last hour.
    pub fixes_in_the_last_hour: u64,
}

/// What is decided about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The guardrail's id.
    pub guardrail: &'a str,
    /// The resource's id.
    pub resource: &'a str,
    /// Its account.
    pub account: &'a str,
    /// What a person answered when asked about this occurrence: (whether the fix may be done, who).
    pub answer: Option<(bool, Option<&'a str>)>,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// Why, in a sentence for people.
    pub why: String,
}

/// Decides. An exception comes before everything, a person's answer before the mode, and the mode before the limits.
pub fn decide(subject: &Subject<'_>, settings: &Settings, facts: &Facts, now: Timestamp) -> Verdict {
    let verdict = |decision, why: String| Verdict { decision, why };
    if let Some(exception) = facts.exceptions.iter().find(|exception| exception.covers(subject, now)) {
        return verdict(Decision::Leave, exception.why());
    }
    match subject.answer {
        Some((true, person)) => {
            return verdict(Decision::Fix, format!("{} approved of the fix", person.unwrap_or("somebody")));
        }
        Some((false, Some(person))) => return verdict(Decision::Tell, format!("{person} did not want the fix")),
        Some((false, None)) => return verdict(Decision::Tell, "nobody answered in time".to_owned()),
        None => {}
    }
    match settings.mode {
        Mode::Alert => verdict(Decision::Tell, "the mode is `alert`: nothing is changed".to_owned()),
        Mode::Approve => verdict(Decision::Ask, "the mode is `approve`: a person is asked first".to_owned()),
        Mode::Fix if settings.risk == Risk::Disruptive && !settings.mode_is_its_own => verdict(
            Decision::Ask,
            "the fix may break what somebody relies on, and the mode `fix` was not set for this guardrail itself"
                .to_owned(),
        ),
        Mode::Fix if facts.fixes_in_the_last_hour >= settings.fixes_per_hour => verdict(
            Decision::Tell,
            format!(
                "{} fixes were done in account {} within an hour, which is the limit of {} (`fixes_per_hour`)",
                facts.fixes_in_the_last_hour, subject.account, settings.fixes_per_hour
            ),
        ),
        Mode::Fix => verdict(Decision::Fix, "the mode is `fix`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: Mode, own: bool, risk: Risk, fixes: u64, answer: Option<(bool, Option<&str>)>, expected: Decision) {
        let settings = Settings { mode, mode_is_its_own: own, fixes_per_hour: 3, ..Settings::of_risk(risk) };
        let subject = Subject { guardrail: "g", resource: "r", account: "a", answer };
        let facts = Facts { exceptions: Vec::new(), fixes_in_the_last_hour: fixes };
        let verdict = decide(&subject, &settings, &facts, Timestamp::UNIX_EPOCH);
        assert_eq!(
            verdict.decision, expected,
            "{mode:?} own {own} {risk:?} {fixes} fixes, {answer:?}: {}",
            verdict.why
        );
        assert!(!verdict.why.is_empty());
    }

    #[test]
    fn modes_risks_answers_and_limits() {
        use Decision::*;
        use Risk::*;
        for risk in [Safe, Disruptive] {
            for own in [false, true] {
                check(Mode::Alert, own, risk, 0, None, Tell);
                check(Mode::Approve, own, risk, 0, None, Ask);
                check(Mode::Approve, own, risk, 0, Some((true, Some("ann"))), Fix);
                check(Mode::Approve, own, risk, 0, Some((false, Some("ann"))), Tell);
                check(Mode::Approve, own, risk, 0, Some((false, None)), Tell);
            }
        }
        check(Mode::Fix, false, Safe, 2, None, Fix);
        check(Mode::Fix, false, Safe, 3, None, Tell);
        check(Mode::Fix, false, Disruptive, 0, None, Ask);
        check(Mode::Fix, true, Disruptive, 0, None, Fix);
        check(Mode::Fix, true, Disruptive, 3, None, Tell);
    }

    #[test]
    fn exceptions_cover_what_they_say() {
        let subject = Subject { guardrail: "g", resource: "r", account: "a", answer: None };
        let exception = |guardrail: Option<&str>, resource: Option<&str>, account: Option<&str>| Exception {
            guardrail: guardrail.map(str::to_owned),
            resource: resource.map(str::to_owned),
            account: account.map(str::to_owned),
            reason: "a web site".to_owned(),
            author: "ann".to_owned(),
            until: Timestamp::from_second(10).unwrap(),
        };
        for (exception, second, covers) in [
            (exception(None, None, None), 9, true),
            (exception(None, None, None), 10, false),
            (exception(Some("g"), Some("r"), Some("a")), 9, true),
            (exception(Some("g"), Some("R"), Some("a")), 9, false),
            (exception(Some("x"), None, None), 9, false),
            (exception(None, None, Some("x")), 9, false),
        ] {
            assert_eq!(exception.covers(&subject, Timestamp::from_second(second).unwrap()), covers, "{exception:?}");
        }
    }
}
