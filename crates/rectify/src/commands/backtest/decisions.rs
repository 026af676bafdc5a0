//! What each guardrail would have done, if each of its inspections had found the resource as bad as the event lets fear.
//!
//! Events come in the order of their files, and limits are per hour: so what may be fixed is counted by the minute of the event's own
//! time, as the store counts, and decided in the order of time once all was read.

use std::collections::{BTreeMap, HashMap};

use detection::{
    Decision, Settings,
    decide::{Exception, Facts, Subject, decide},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::rules::Fired;

/// How many minutes are told apart, over all guardrails and accounts.
const MINUTES_LIMIT: usize = 500_000;
/// For how long fixes are counted.
const MINUTES_COUNTED: i64 = 60;
/// How many reasons a guardrail has before they are no longer told apart.
const REASONS_LIMIT: usize = 1_000;

/// What is decided of what was seen so far.
pub struct Decisions {
    guardrails: BTreeMap<usize, (String, Settings)>,
    exceptions: Vec<Exception>,
    /// What was decided: (guardrail, decision, why) → how often.
    decided: Decided,
    /// What may be fixed as far as the limit lets: (guardrail, account) → minute → how often.
    fixes: HashMap<(usize, String), BTreeMap<i64, u64>>,
    minutes: usize,
    /// How many were not held against the limit.
    uncounted: u64,
}

/// (Guardrail, decision, why) → how often.
type Decided = BTreeMap<(usize, u8, String), (Decision, u64)>;

impl Decisions {
    /// Begins, with the settings of the guardrails by their numbers.
    pub fn new(guardrails: BTreeMap<usize, (String, Settings)>, exceptions: Vec<Exception>) -> Decisions {
        Decisions { guardrails, exceptions, decided: Decided::new(), fixes: HashMap::new(), minutes: 0, uncounted: 0 }
    }

    /// Takes what fired; rules that are no guardrails decide nothing.
    pub fn add(&mut self, fired: &Fired) {
        let Some((id, settings)) = self.guardrails.get(&fired.rule) else { return };
        for resource in fired.resources.iter().flatten() {
            let subject = Subject { guardrail: id, resource, account: &fired.account, answer: None };
            let exceptions = self.exceptions.iter().filter(|exception| exception.covers(&subject, fired.time));
            let facts = Facts { exceptions: exceptions.cloned().collect(), fixes_in_the_last_hour: 0 };
            let verdict = decide(&subject, settings, &facts, fired.time);
            // Whether more may be fixed is seen when all was read. A limit of none tells at once.
            if verdict.decision != Decision::Fix {
                note(&mut self.decided, fired.rule, verdict.decision, verdict.why, 1);
                continue;
            }
            let minutes = self.fixes.entry((fired.rule, fired.account.clone())).or_default();
            let minute = fired.time.as_second().div_euclid(60);
            if self.minutes >= MINUTES_LIMIT && !minutes.contains_key(&minute) {
                self.uncounted += 1;
                note(&mut self.decided, fired.rule, verdict.decision, verdict.why, 1);
                continue;
            }
            let count = minutes.entry(minute).or_default();
            self.minutes += usize::from(*count == 0);
            *count += 1;
        }
    }

    /// What was decided, by guardrail: `{guardrail, mode, decision, times, why}`; and what limit was reached.
    pub fn finish(mut self) -> (Vec<Value>, Option<String>) {
        let mut accounts: Vec<_> = std::mem::take(&mut self.fixes).into_iter().collect();
        accounts.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for ((guardrail, account), minutes) in accounts {
            let Some((id, settings)) = self.guardrails.get(&guardrail) else { continue };
            let subject = Subject { guardrail: id, resource: "", account: &account, answer: None };
            within_limits(&mut self.decided, guardrail, &subject, settings, &minutes);
        }
        let row = |((guardrail, _, why), (decision, times)): (&(usize, u8, String), &(Decision, u64))| {
            let (id, settings) = self.guardrails.get(guardrail)?;
            Some(json!({"guardrail": id, "mode": settings.mode, "decision": decision, "times": times, "why": why}))
        };
        let rows = self.decided.iter().filter_map(row).collect();
        let limit = (self.uncounted > 0).then(|| {
            format!("{} fixes in further minutes than the {MINUTES_LIMIT} that are told apart are not held against fixes_per_hour", self.uncounted)
        });
        (rows, limit)
    }
}

/// Decides minute by minute, as often as fixes are still allowed.
fn within_limits(
    decided: &mut Decided,
    guardrail: usize,
    subject: &Subject<'_>,
    settings: &Settings,
    minutes: &BTreeMap<i64, u64>,
) {
    let mut fixed: BTreeMap<i64, u64> = BTreeMap::new();
    for (minute, wanted) in minutes {
        fixed = fixed.split_off(&(minute - MINUTES_COUNTED + 1));
        let mut facts = Facts { exceptions: Vec::new(), fixes_in_the_last_hour: fixed.values().sum() };
        let now = Timestamp::from_second(minute.saturating_mul(60)).unwrap_or(Timestamp::MIN);
        let mut left = *wanted;
        while left > 0 {
            let verdict = decide(subject, settings, &facts, now);
            let is_fix = verdict.decision == Decision::Fix;
            let times = if is_fix { 1 } else { left };
            note(decided, guardrail, verdict.decision, verdict.why, times);
            left -= times;
            if is_fix {
                facts.fixes_in_the_last_hour += 1;
                *fixed.entry(*minute).or_default() += 1;
            }
        }
    }
}

fn note(decided: &mut Decided, guardrail: usize, decision: Decision, why: String, times: u64) {
    let order = match decision {
        Decision::Leave => 0,
        Decision::Tell => 1,
        Decision::Ask => 2,
        Decision::Fix => 3,
    };
    let mut key = (guardrail, order, why);
    if !decided.contains_key(&key) && decided.len() >= REASONS_LIMIT {
        key.2 = "further reasons, which are not told apart".to_owned();
    }
    decided.entry(key).or_insert((decision, 0)).1 += times;
}

#[cfg(test)]
mod tests {
    use detection::{Mode, decide::Risk};

    use super::*;

    fn settings(mode: Mode, is_its_own: bool, risk: Risk, fixes_per_hour: u64) -> BTreeMap<usize, (String, Settings)> {
        let settings = Settings { mode, mode_is_its_own: is_its_own, fixes_per_hour, ..Settings::of_risk(risk) };
        BTreeMap::from([(0, ("g".to_owned(), settings))])
    }

    fn fired(second: i64, account: &str, resources: &[&str]) -> Fired {
        Fired {
            rule: 0,
            event_id: "e".to_owned(),
            time: Timestamp::from_second(second).unwrap(),
            account: account.to_owned(),
            actor: None,
            resources: resources.iter().map(|resource| Some((*resource).to_owned())).collect(),
        }
    }

    /// What is decided: (decision, how often).
    fn check(mut decisions: Decisions, fired: &[Fired], expected: &[(&str, u64)]) -> Vec<Value> {
        fired.iter().for_each(|fired| decisions.add(fired));
        let (rows, limit) = decisions.finish();
        assert_eq!(limit, None);
        let found: Vec<(&str, u64)> =
            rows.iter().map(|row| (row["decision"].as_str().unwrap(), row["times"].as_u64().unwrap())).collect();
        assert_eq!(found, expected, "{rows:?}");
        rows
    }

    #[test]
    fn modes_and_risks() {
        let events = [fired(0, "1", &["a", "b"]), fired(60, "1", &["a"])];
        let of = |mode, own, risk| Decisions::new(settings(mode, own, risk, 100), Vec::new());
        check(of(Mode::Alert, false, Risk::Safe), &events, &[("tell", 3)]);
        check(of(Mode::Approve, false, Risk::Safe), &events, &[("ask", 3)]);
        check(of(Mode::Fix, false, Risk::Safe), &events, &[("fix", 3)]);
        check(of(Mode::Fix, false, Risk::Disruptive), &events, &[("ask", 3)]);
        check(of(Mode::Fix, true, Risk::Disruptive), &events, &[("fix", 3)]);
        let another = Fired { rule: 1, ..fired(0, "1", &["a"]) };
        check(of(Mode::Fix, false, Risk::Safe), &[another], &[]);
    }

    #[test]
    fn limits_go_by_the_events_times_in_whatever_order_they_come() {
        let of = |limit| Decisions::new(settings(Mode::Fix, false, Risk::Safe, limit), Vec::new());
        let minute = |minute: i64| fired(minute * 60, "1", &["a"]);
        // Two an hour: those of minutes 0 and 10, then those of 60 and 70.
        let events = [minute(70), minute(0), minute(20), minute(10), minute(59), minute(60)];
        let rows = check(of(2), &events, &[("tell", 2), ("fix", 4)]);
        assert_eq!(
            rows[0]["why"],
            "2 fixes were done in account 1 within an hour, which is the limit of 2 (`fixes_per_hour`)"
        );
        check(of(2), &[minute(0), fired(0, "2", &["a", "b", "c"])], &[("tell", 1), ("fix", 3)]);
        check(of(0), &[minute(0)], &[("tell", 1)]);
        check(of(3), &[fired(-90, "1", &["a", "b", "c", "d"])], &[("tell", 1), ("fix", 3)]);
    }

    #[test]
    fn exceptions_come_first() {
        let exception = Exception {
            guardrail: None,
            resource: Some("a".to_owned()),
            account: None,
            reason: "a web site".to_owned(),
            author: "ann".to_owned(),
            until: Timestamp::from_second(100).unwrap(),
        };
        let decisions = Decisions::new(settings(Mode::Fix, false, Risk::Safe, 1), vec![exception]);
        let events = [fired(0, "1", &["a", "b"]), fired(100, "1", &["a"])];
        let rows = check(decisions, &events, &[("leave", 1), ("tell", 1), ("fix", 1)]);
        assert!(rows[0]["why"].as_str().unwrap().contains("ann"), "{rows:?}");
    }
}
