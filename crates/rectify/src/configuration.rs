//! `rectify.yaml`: read with every problem of it at once, at its line and column.

mod functions;
mod playbooks;
mod rules;
mod sources;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use asl::{Diagnostic, Document, document, document::Format, nearest::nearest};
use detection::{
    Guardrail, Settings,
    decide::{DEFAULT_APPROVAL_TIMEOUT_SECONDS, DEFAULT_FIXES_PER_HOUR, Mode},
    guardrail::Parameter,
    rule::{RuleDefaults, RuleSettings},
};
use engine::sqlite::Retention;
use execution::Quotas;
use integrations::{ChannelConfiguration, LocalFunction};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use playbooks::PlaybookConfiguration;
pub use rules::unknown_rules;
pub use sources::{QueueSource, WebhookSource};

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "rectify.yaml";
/// The code of what is wrong with it.
pub const INVALID_CONFIGURATION: &str = "INVALID_CONFIGURATION";

/// The most of `memory.executions`, and of `memory.evict_after_seconds`.
const EXECUTIONS_IN_MEMORY_MAX: usize = 1_000_000;
const EVICT_AFTER_SECONDS_MAX: u64 = 86_400;
/// The most of `memory.backlog`.
const BACKLOG_MAX: usize = 10_000_000;
/// The most days that something can be kept: a hundred years.
const MOST_DAYS: u32 = 36_500;

/// What `rectify.yaml` says.
#[derive(Debug, Default)]
pub struct Configuration {
    /// `account`: the account in ARNs; STS is asked where it is not said.
    pub account: Option<String>,
    /// `mode` of every guardrail that says nothing itself; `alert` unless said.
    pub mode: Mode,
    /// `guardrails`: what is said of each, by id.
    pub guardrails: BTreeMap<String, GuardrailConfiguration>,
    /// `guardrails_folder`: guardrails of one's own; they win over carried ones with the same id.
    pub guardrails_folder: Option<PathBuf>,
    /// `rules_folder`: rules of one's own; looked at again while `serve` runs.
    pub rules_folder: Option<PathBuf>,
    /// `rules`: what is said of each, by id.
    pub rules: BTreeMap<String, RuleSettings>,
    /// `rules_tell_from`, `rules_dedup_window_seconds`: what holds for rules that say nothing else.
    pub rule_defaults: RuleDefaults,
    /// `playbooks`: what is said of each, by id.
    pub playbooks: BTreeMap<String, PlaybookConfiguration>,
    /// `playbooks_folder`: playbooks of one's own; they win over carried ones with the same id.
    pub playbooks_folder: Option<PathBuf>,
    /// `sources`: the SQS queues to poll.
    pub queues: Vec<QueueSource>,
    /// `sources`: the webhooks to serve.
    pub webhooks: Vec<WebhookSource>,
    /// `sources`: the ARNs of the SNS topics whose messages are taken.
    pub topics: Vec<String>,
    /// `sources_folder`: sources of one's own; they win over carried ones with the same id.
    pub sources_folder: Option<PathBuf>,
    /// `channels`: where messages go, by name.
    pub channels: BTreeMap<String, ChannelConfiguration>,
    /// `functions`: those that run here as local processes, by name.
    pub functions: BTreeMap<String, LocalFunction>,
    /// `accounts.role`: the name of the role to assume in other accounts (and in this one).
    pub role: Option<String>,
    /// `exports.security_hub.enabled`: whether Security Hub is told of findings.
    pub security_hub: bool,
    /// `limits`: what may be larger than on AWS.
    pub quotas: Quotas,
    /// `memory.evict_after_seconds`: what has only waited for this long leaves memory.
    pub evict_after_seconds: Option<u64>,
    /// `memory.executions`: how many may be in memory.
    pub executions_in_memory: Option<usize>,
    /// `memory.backlog`: how many may wait in the store for room in memory before sources are held up.
    pub backlog: Option<usize>,
    /// `retention_days`, `findings_retention_days`: for how long what is over is kept.
    pub retention: Retention,
}

/// What is said of one guardrail.
#[derive(Debug, Default)]
pub struct GuardrailConfiguration {
    mode: Option<Mode>,
    parameters: Map<String, Value>,
    fixes_per_hour: Option<u64>,
    approval_timeout_seconds: Option<u64>,
}

/// Why there is no configuration.
pub enum Unusable {
    /// The file can't be read.
    Unreadable(String),
    /// It says what can't be taken: file, text, problems.
    Invalid(String, String, Vec<Diagnostic>),
}

impl Configuration {
    /// Reads the file named, else `rectify.yaml` where there is one, else the defaults.
    pub fn load(named: Option<&Path>) -> Result<Configuration, Unusable> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        if named.is_none() && !path.exists() {
            return Ok(Configuration::default());
        }
        let text = fs::read_to_string(path)
            .map_err(|error| Unusable::Unreadable(format!("{} can't be read: {error}", path.display())))?;
        Configuration::parse(&text).map_err(|problems| Unusable::Invalid(path.display().to_string(), text, problems))
    }

    /// Whether a text says nothing: then the defaults hold.
    pub fn is_empty(text: &str) -> bool {
        text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    }

    /// Reads the text of a configuration.
    pub fn parse(text: &str) -> Result<Configuration, Vec<Diagnostic>> {
        if Configuration::is_empty(text) {
            return Ok(Configuration::default());
        }
        let (document, problems) = Document::read(text, Format::of_text(text))?;
        let mut reader = Reader { document: &document, problems };
        let configuration = reader.configuration();
        let mut problems = reader.problems;
        problems.sort_by_key(|problem| problem.span.start);
        if problems.is_empty() { Ok(configuration) } else { Err(problems) }
    }

    /// The settings of a guardrail, and what the configuration says of it that it can't take.
    pub fn settings(&self, guardrail: &Guardrail) -> Result<Settings, String> {
        let none = GuardrailConfiguration::default();
        let said = self.guardrails.get(&guardrail.id).unwrap_or(&none);
        let parameters = parameters(&format!("guardrail `{}`", guardrail.id), &guardrail.parameters, &said.parameters)?;
        Ok(Settings {
            mode: said.mode.unwrap_or(self.mode),
            mode_is_its_own: said.mode.is_some(),
            risk: guardrail.risk,
            parameters,
            fixes_per_hour: said.fixes_per_hour.unwrap_or(DEFAULT_FIXES_PER_HOUR),
            approval_timeout_seconds: said.approval_timeout_seconds.unwrap_or(DEFAULT_APPROVAL_TIMEOUT_SECONDS),
        })
    }

    /// What this says of guardrails that they can't take.
    pub fn misfits(&self, guardrails: &[Guardrail]) -> Vec<String> {
        let mut misfits = self.unknown_guardrails(guardrails.iter().map(|guardrail| guardrail.id.as_str()));
        misfits.extend(guardrails.iter().filter_map(|guardrail| self.settings(guardrail).err()));
        misfits
    }

    /// What names a guardrail that is not there.
    fn unknown_guardrails<'a>(&self, known: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        let is_unknown = |id: &&String| !known.clone().any(|known| known == *id);
        self.guardrails
            .keys()
            .filter(is_unknown)
            .map(|id| unknown("there is no guardrail", id, known.clone()))
            .collect()
    }
}

/// All parameters of something, those that are said set; or what is said of them that it can't take.
fn parameters(whose: &str, known: &[Parameter], said: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut parameters: Map<String, Value> =
        known.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
    for (name, value) in said {
        match parameters.get_mut(name) {
            Some(parameter) if alike(parameter, value) => *parameter = value.clone(),
            Some(parameter) => {
                return Err(format!(
                    "the parameter `{name}` of the {whose} is {}, as in {parameter}; {value} is not",
                    kind(parameter)
                ));
            }
            None => {
                return Err(unknown(
                    &format!("the {whose} has no parameter"),
                    name,
                    parameters.keys().map(String::as_str),
                ));
            }
        }
    }
    Ok(parameters)
}

/// Whether a value is of the kind that a parameter's default is, element by element.
fn alike(default: &Value, value: &Value) -> bool {
    match (default, value) {
        (Value::Array(defaults), Value::Array(values)) => {
            defaults.first().is_none_or(|first| values.iter().all(|value| alike(first, value)))
        }
        _ => kind(default) == kind(value),
    }
}

/// What a value is, for people.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// "… `name`: did you mean `nearest`?"
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("{what} `{name}`: did you mean `{near}`?"),
        None => format!("{what} `{name}`; there are: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Reads parts of the document, and keeps what is wrong with them.
struct Reader<'a> {
    document: &'a Document,
    problems: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    fn configuration(&mut self) -> Configuration {
        let mut configuration = Configuration::default();
        let keys = [
            "account",
            "mode",
            "guardrails",
            "guardrails_folder",
            "rules",
            "rules_folder",
            "rules_tell_from",
            "rules_dedup_window_seconds",
            "playbooks",
            "playbooks_folder",
            "sources",
            "sources_folder",
            "channels",
            "functions",
            "accounts",
            "exports",
            "limits",
            "memory",
            "retention_days",
            "findings_retention_days",
        ];
        let retention = Retention::default();
        for (key, at, value) in self.object("", &keys) {
            match key {
                "account" => configuration.account = self.account(&at, value),
                "mode" => configuration.mode = self.value(&at, "alert, approve or fix").unwrap_or_default(),
                "guardrails" => configuration.guardrails = self.guardrails(&at),
                "guardrails_folder" => configuration.guardrails_folder = self.value(&at, "the path of a folder"),
                "rules" => configuration.rules = self.rules(&at),
                "rules_folder" => configuration.rules_folder = self.value(&at, "the path of a folder"),
                "rules_tell_from" => self.severity(&at, &mut configuration.rule_defaults.tell_from),
                "rules_dedup_window_seconds" => {
                    if let Some(seconds) = self.dedup_window(&at) {
                        configuration.rule_defaults.dedup_window_seconds = seconds;
                    }
                }
                "playbooks" => configuration.playbooks = self.playbooks(&at),
                "playbooks_folder" => configuration.playbooks_folder = self.value(&at, "the path of a folder"),
                "sources" => {
                    (configuration.queues, configuration.webhooks, configuration.topics) = self.sources(&at, value);
                }
                "sources_folder" => configuration.sources_folder = self.value(&at, "the path of a folder"),
                "channels" => configuration.channels = self.channels(&at),
                "functions" => configuration.functions = self.functions(&at),
                "accounts" => configuration.role = self.role(&at),
                "exports" => configuration.security_hub = self.security_hub(&at),
                "limits" => configuration.quotas = self.quotas(&at),
                "memory" => {
                    for (key, at, _) in self.object(&at, &["evict_after_seconds", "executions", "backlog"]) {
                        match key {
                            "executions" => {
                                configuration.executions_in_memory =
                                    self.within(&at, "executions", 1, EXECUTIONS_IN_MEMORY_MAX);
                            }
                            "backlog" => configuration.backlog = self.within(&at, "executions", 1, BACKLOG_MAX),
                            _ => {
                                configuration.evict_after_seconds =
                                    self.within(&at, "seconds", 0, EVICT_AFTER_SECONDS_MAX);
                            }
                        }
                    }
                }
                "retention_days" => configuration.retention.days = self.days(&at).unwrap_or(retention.days),
                "findings_retention_days" => {
                    configuration.retention.findings_days = self.days(&at).unwrap_or(retention.findings_days);
                }
                _ => {}
            }
        }
        configuration
    }

    fn account(&mut self, at: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()));
        let account = text.filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
        if account.is_none() {
            self.problem(
                at,
                "an account is twelve digits",
                Some("write it in quotes, so that no leading zero is lost"),
            );
        }
        account
    }

    fn guardrails(&mut self, at: &str) -> BTreeMap<String, GuardrailConfiguration> {
        let mut guardrails = BTreeMap::new();
        for (id, at, _) in self.members(at) {
            let mut said = GuardrailConfiguration::default();
            for (key, at, _) in self.object(&at, &["mode", "parameters", "fixes_per_hour", "approval_timeout_seconds"])
            {
                match key {
                    "mode" => said.mode = self.value(&at, "alert, approve or fix"),
                    "parameters" => said.parameters = self.value(&at, "an object of parameters").unwrap_or_default(),
                    "fixes_per_hour" => said.fixes_per_hour = self.value(&at, "a whole number, 0 or more"),
                    "approval_timeout_seconds" => {
                        said.approval_timeout_seconds = self.value(&at, "a whole number of seconds")
                    }
                    _ => {}
                }
            }
            guardrails.insert(id.to_owned(), said);
        }
        guardrails
    }

    fn channels(&mut self, at: &str) -> BTreeMap<String, ChannelConfiguration> {
        let mut channels = BTreeMap::new();
        for (name, at, _) in self.members(at) {
            let before = self.problems.len();
            for (_, at, _) in self.object(&at, &["webhook"]) {
                self.object(&at, &["url"]);
            }
            if self.problems.len() > before {
                continue;
            }
            if let Some(channel) =
                self.value(&at, "a kind of channel and what it needs, as in `{webhook: {url: \"https://…\"}}`")
            {
                channels.insert(name.to_owned(), channel);
            }
        }
        channels
    }

    fn role(&mut self, at: &str) -> Option<String> {
        let mut role: Option<String> = None;
        for (_, at, _) in self.object(at, &["role"]) {
            role = self.value(&at, "the name of a role");
            let fits = |character: char| character.is_ascii_alphanumeric() || "+=,.@-_/".contains(character);
            if role.as_ref().is_some_and(|role| role.is_empty() || role.len() > 512 || !role.chars().all(fits)) {
                self.problem(
                    &at,
                    "a role is named by letters, digits and +=,.@-_, its path before it",
                    Some("no ARN: the account is the resource's"),
                );
            }
        }
        role
    }

    fn security_hub(&mut self, at: &str) -> bool {
        let mut is_enabled = false;
        for (_, at, _) in self.object(at, &["security_hub"]) {
            for (_, at, _) in self.object(&at, &["enabled"]) {
                is_enabled = self.value(&at, "true or false").unwrap_or_default();
            }
        }
        is_enabled
    }

    fn quotas(&mut self, at: &str) -> Quotas {
        let mut quotas = Quotas::AWS;
        for (key, at, _) in self.object(at, &["payload_bytes", "history_events"]) {
            if key == "payload_bytes" {
                let (lowest, highest) = (Quotas::AWS.payload_bytes, Quotas::HIGHEST.payload_bytes);
                quotas.payload_bytes = self.between(&at, lowest, highest).unwrap_or(lowest);
            } else {
                let (lowest, highest) = (Quotas::AWS.history_events, Quotas::HIGHEST.history_events);
                quotas.history_events = self.between(&at, lowest, highest).unwrap_or(lowest);
            }
        }
        quotas
    }

    /// A whole number of something, within limits.
    fn within<T: DeserializeOwned + Display + PartialOrd>(
        &mut self,
        at: &str,
        unit: &str,
        lowest: T,
        highest: T,
    ) -> Option<T> {
        let wanted = format!("a whole number of {unit} from {lowest} to {highest}");
        let number = self.value(at, &wanted)?;
        if number >= lowest && number <= highest {
            return Some(number);
        }
        self.problem(at, &format!("{wanted} is wanted here"), None);
        None
    }

    /// For how long something is kept.
    fn days(&mut self, at: &str) -> Option<u32> {
        let wanted = format!("a whole number of days from 1 to {MOST_DAYS}");
        let days = self.value(at, &wanted)?;
        if (1..=MOST_DAYS).contains(&days) {
            return Some(days);
        }
        let help =
            "what is over is kept for a day at least, so that it can be looked at; to keep it for ever, say the most";
        self.problem(at, &format!("{wanted} is wanted here"), Some(help));
        None
    }

    /// A whole number from AWS's limit to ours.
    fn between<T: DeserializeOwned + Display + PartialOrd>(&mut self, at: &str, lowest: T, highest: T) -> Option<T> {
        let wanted = format!("a whole number from {lowest}, which is AWS's limit, to {highest}");
        let number = self.value(at, &wanted)?;
        if number >= lowest && number <= highest {
            return Some(number);
        }
        self.problem(at, &format!("{wanted} is wanted here"), Some("a machine that runs on AWS has to run here too"));
        None
    }

    /// The members of an object with these keys; others are problems.
    fn object(&mut self, at: &str, keys: &[&str]) -> Vec<(&'a str, String, &'a Value)> {
        let (known, unknown): (Vec<_>, Vec<_>) = self.members(at).into_iter().partition(|(key, ..)| keys.contains(key));
        for (key, at, _) in unknown {
            let help = nearest(key, keys.iter().copied())
                .map_or_else(|| format!("known keys: {}", keys.join(", ")), |near| format!("did you mean `{near}`?"));
            let span = self.document.key_span(&at);
            self.problems.push(
                Diagnostic::error(INVALID_CONFIGURATION, format!("unknown key `{key}`")).with_help(help).at(at, span),
            );
        }
        known
    }

    fn members(&mut self, at: &str) -> Vec<(&'a str, String, &'a Value)> {
        let document = self.document;
        match document.value().pointer(at) {
            Some(Value::Object(object)) => object
                .iter()
                .map(|(key, value)| (key.as_str(), format!("{at}/{}", document::escape(key)), value))
                .collect(),
            Some(Value::Null) | None => Vec::new(),
            Some(_) => {
                self.problem(at, "an object (`key: value`) is wanted here", None);
                Vec::new()
            }
        }
    }

    /// A value of a type that serde reads. Its error texts may quote the value, so `channels`, which hold secrets, get ours.
    fn value<T: DeserializeOwned>(&mut self, at: &str, wanted: &str) -> Option<T> {
        let value = self.document.value().pointer(at)?.clone();
        let read = serde_json::from_value(value).ok();
        if read.is_none() {
            self.problem(at, &format!("{wanted} is wanted here"), None);
        }
        read
    }

    fn problem(&mut self, at: &str, message: &str, help: Option<&str>) {
        let mut problem = Diagnostic::error(INVALID_CONFIGURATION, message).at(at, self.document.span(at));
        problem.help = help.map(str::to_owned);
        self.problems.push(problem);
    }
}
