//! What would have fired: by rule and day, by whom, on what, and what would have been done.

use std::{
    collections::{BTreeMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::{
    decisions::Decisions,
    matching::Seen,
    noisiest::{NAMES_LIMIT, Noise, Noisiest},
    rules::{Described, Fired, Rules},
};
use crate::output::{self, Format};

/// How many of the noisiest are told.
const NOISIEST_TOLD: usize = 20;
/// How many rules of each are named in a table.
const RULES_NAMED: usize = 3;
/// How many different resources are counted, over all rules.
const RESOURCES_LIMIT: usize = 2_000_000;
/// How many pairs of rule and day are told apart.
const DAYS_LIMIT: usize = 200_000;

/// What was seen so far.
pub struct Report<'a> {
    rules: &'a Rules,
    decisions: Decisions,
    /// How many events were read.
    pub events: u64,
    /// How many files were read, or tried.
    pub files: u64,
    /// How many files hold no events, as is known.
    pub passed_over: u64,
    /// How much could not be read.
    pub unreadable: u64,
    span: Option<(Timestamp, Timestamp)>,
    fired: BTreeMap<usize, Count>,
    days: BTreeMap<(Date, usize), u64>,
    days_beyond: u64,
    actors: Noisiest,
    resources: Noisiest,
    /// Hashes of rule and resource.
    resources_seen: HashSet<u64>,
}

/// How often a rule fired.
struct Count {
    events: u64,
    resources: u64,
    first: Timestamp,
    last: Timestamp,
}

impl<'a> Report<'a> {
    /// Begins.
    pub fn new(rules: &'a Rules, decisions: Decisions) -> Report<'a> {
        Report {
            rules,
            decisions,
            events: 0,
            files: 0,
            passed_over: 0,
            unreadable: 0,
            span: None,
            fired: BTreeMap::new(),
            days: BTreeMap::new(),
            days_beyond: 0,
            actors: Noisiest::default(),
            resources: Noisiest::default(),
            resources_seen: HashSet::new(),
        }
    }

    /// Takes what was seen of a text.
    pub fn add(&mut self, seen: &Seen) {
        self.events += seen.events;
        self.unreadable += u64::try_from(seen.unreadable.len()).unwrap_or(u64::MAX) + seen.unreadable_untold;
        if let Some((first, last)) = seen.span {
            let (earliest, latest) = self.span.unwrap_or((first, last));
            self.span = Some((earliest.min(first), latest.max(last)));
        }
        seen.fired.iter().for_each(|fired| self.add_fired(fired));
    }

    fn add_fired(&mut self, fired: &Fired) {
        let Fired { rule, time, .. } = *fired;
        let new = fired.resources.iter().flatten().filter(|resource| {
            let mut hasher = DefaultHasher::new();
            (rule, &fired.account, resource).hash(&mut hasher);
            self.resources_seen.len() < RESOURCES_LIMIT && self.resources_seen.insert(hasher.finish())
        });
        let new = u64::try_from(new.count()).unwrap_or(u64::MAX);
        let count = self.fired.entry(rule).or_insert(Count { events: 0, resources: 0, first: time, last: time });
        count.events += 1;
        count.resources += new;
        count.first = count.first.min(time);
        count.last = count.last.max(time);
        let day = (TimeZone::UTC.to_datetime(time).date(), rule);
        if self.days.len() < DAYS_LIMIT || self.days.contains_key(&day) {
            *self.days.entry(day).or_default() += 1;
        } else {
            self.days_beyond += 1;
        }
        if let Some(actor) = &fired.actor {
            self.actors.add(actor, rule);
        }
        // A Sigma rule's resource is the actor where the event names none.
        for resource in fired.resources.iter().flatten() {
            if !resource.is_empty() && Some(resource) != fired.actor.as_ref() {
                self.resources.add(resource, rule);
            }
        }
        self.decisions.add(fired);
    }

    /// How much was read, in a sentence.
    pub fn summary(&self) -> String {
        let span = self.span.map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
        let passed_over = match self.passed_over {
            0 => String::new(),
            count => format!("; {count} passed over: CloudTrail's digests hold no events"),
        };
        let Report { events, files, unreadable, .. } = self;
        format!("{events} events of {files} files{span}; {unreadable} could not be read{passed_over}")
    }

    /// Prints it for people, or as one object.
    pub fn print(mut self, format: Format) {
        let summary = self.summary();
        let guardrails = std::mem::replace(&mut self.decisions, Decisions::new(BTreeMap::new(), Vec::new()));
        let (guardrails, limit) = guardrails.finish();
        let limits: Vec<String> = self.limits().into_iter().chain(limit).collect();
        let rules = self.rule_rows();
        let actors = self.noisiest_rows(&self.actors, "actor");
        let resources = self.noisiest_rows(&self.resources, "resource");
        if format != Format::Table {
            let object = json!({
                "events": self.events, "files": self.files, "passed_over": self.passed_over, "unreadable": self.unreadable,
                "first": self.span.map(|(first, _)| first), "last": self.span.map(|(_, last)| last),
                "rules": rules, "days": self.day_rows(), "actors": actors, "resources": resources, "guardrails": guardrails, "limits": limits,
            });
            return output::line(&format!("{object:#}"));
        }
        output::rows(&rules, &["rule", "severity", "events", "resources", "first", "last", "title"], format);
        section("By day (UTC)", &self.day_rows(), &["day", "rule", "events"]);
        section("The noisiest actors", &named(actors), &["actor", "hits", "rules"]);
        section("The noisiest resources", &named(resources), &["resource", "hits", "rules"]);
        let title = "What each guardrail would have done, if it had found the resource open each time";
        section(title, &guardrails, &["guardrail", "mode", "decision", "times", "why"]);
        output::line("");
        limits.iter().for_each(|limit| output::line(limit));
        output::line(&summary);
    }

    fn limits(&self) -> Vec<String> {
        let beyond = |noisiest: &Noisiest, what: &str| {
            let beyond = noisiest.beyond();
            (beyond > 0)
                .then(|| format!("{beyond} hits are of further {what} than the {NAMES_LIMIT} that are told apart"))
        };
        let resources = (self.resources_seen.len() >= RESOURCES_LIMIT)
            .then(|| format!("no more than {RESOURCES_LIMIT} different resources are counted, over all rules"));
        let days = (self.days_beyond > 0).then(|| {
            format!("{} hits are of further days than the {DAYS_LIMIT} that are told apart", self.days_beyond)
        });
        [beyond(&self.actors, "actors"), beyond(&self.resources, "resources"), resources, days]
            .into_iter()
            .flatten()
            .collect()
    }

    fn id(&self, rule: usize) -> &'a str {
        self.rules.described(rule).map_or("", |described| described.id)
    }

    fn rule_rows(&self) -> Vec<Value> {
        let row = |(rule, count): (&usize, &Count)| {
            let Described { id, title, severity } = self.rules.described(*rule)?;
            let Count { events, resources, first, last } = count;
            Some(
                json!({"rule": id, "severity": severity, "events": events, "resources": resources, "first": first, "last": last, "title": title}),
            )
        };
        self.fired.iter().filter_map(row).collect()
    }

    fn day_rows(&self) -> Vec<Value> {
        let row = |((day, rule), events): (&(Date, usize), &u64)| json!({"day": day, "rule": self.id(*rule), "events": events});
        self.days.iter().map(row).collect()
    }

    fn noisiest_rows(&self, noisiest: &Noisiest, what: &str) -> Vec<Value> {
        let row = |(name, noise): (&str, &Noise)| {
            let mut rules: Vec<(&usize, &u64)> = noise.rules.iter().collect();
            rules.sort_by_key(|(rule, hits)| (std::cmp::Reverse(**hits), **rule));
            let rules: Map<String, Value> =
                rules.into_iter().map(|(rule, hits)| (self.id(*rule).to_owned(), (*hits).into())).collect();
            json!({what: name, "hits": noise.hits, "rules": rules})
        };
        noisiest.first(NOISIEST_TOLD).into_iter().map(row).collect()
    }
}

fn section(title: &str, rows: &[Value], columns: &[&str]) {
    if !rows.is_empty() {
        output::line(&format!("\n{title}"));
        output::rows(rows, columns, Format::Table);
    }
}

/// Rules as a text: the first ones, and how many more.
fn named(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        let Some(rules) = row.get_mut("rules") else { continue };
        let all: Vec<String> =
            rules.as_object().into_iter().flatten().map(|(rule, hits)| format!("{rule} ({hits})")).collect();
        let more = all.len().saturating_sub(RULES_NAMED);
        let named = all.into_iter().take(RULES_NAMED).collect::<Vec<_>>().join(", ");
        *rules = if more > 0 { format!("{named} and {more} more").into() } else { named.into() };
    }
    rows
}
