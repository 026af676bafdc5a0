//! The folder of rules: read at the start, and looked at again while `serve` runs.
//!
//! A file that changed is read once it has stood still for a moment. One that can't be used leaves in force what it said before, and
//! so does a folder that can't be looked into; only a file that is gone takes its rule along.

mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use asl::document::Format;
use detection::{
    ActiveRule,
    rule::{self, Names, RuleDefaults, RuleFile, RuleSettings, WrittenRule},
};
use server::registry::{RefusedFile, RuleInForce, RulesInForce};

use crate::configuration::{Configuration, unknown_rules};

pub use watch::watch;

/// The most rules in force.
const RULES_MAX: usize = 20_000;
/// The longest file of a rule.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The most files and folders that are looked at.
const ENTRIES_MAX: usize = 100_000;

/// What tells that a file changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// Inode and time of its change, where there are such: a file may be put in another's place with that one's time.
    identity: (u64, i64, i64),
}

/// The files there are.
type Stamps = BTreeMap<PathBuf, Stamp>;

/// What is known of a file.
#[derive(Debug)]
struct Known {
    stamp: Stamp,
    /// Its last good version.
    rule: Option<WrittenRule>,
    /// Why it is of no use as it is now.
    refused: Option<Refused>,
}

#[derive(Clone, Debug)]
enum Refused {
    /// What is wrong with it.
    Broken(String),
    /// A rule for another log.
    PassedOver(String),
}

/// A folder of rules, and what is known of its files.
#[derive(Debug)]
pub struct RulesFolder {
    folder: PathBuf,
    settings: BTreeMap<String, RuleSettings>,
    defaults: RuleDefaults,
    names: Names,
    files: BTreeMap<PathBuf, Known>,
    max: usize,
}

impl RulesFolder {
    /// Reads the folder of a configuration, where it names one. `names` are what its rules may lead to. The error tells why the folder
    /// can't be looked into, or what the configuration has rules lead to that is not there.
    pub fn of(configuration: &Configuration, names: Names) -> Result<Option<RulesFolder>, String> {
        if let Some(misfit) = configuration.misfits_of_rules(&names).first() {
            return Err(format!("the configuration can't be taken: {misfit}"));
        }
        let Some(folder) = &configuration.rules_folder else { return Ok(None) };
        let mut rules = RulesFolder {
            folder: folder.clone(),
            settings: configuration.rules.clone(),
            defaults: configuration.rule_defaults,
            names,
            files: BTreeMap::new(),
            max: RULES_MAX,
        };
        let stamps = rules.look()?;
        rules.read(stamps);
        Ok(Some(rules))
    }

    /// Tells at the start what is wrong.
    pub fn tell_first(&self) {
        watch::tell(&self.in_force(), &BTreeSet::new());
        for unknown in self.unknown_rules() {
            tracing::warn!(unknown, "the configuration speaks of a rule that is not there (yet)");
        }
    }

    /// The files there are now.
    fn look(&self) -> Result<Stamps, String> {
        let mut stamps = Stamps::new();
        let mut folders = vec![self.folder.clone()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            let unreadable = |error: std::io::Error| format!("{} can't be read: {error}", folder.display());
            for entry in fs::read_dir(&folder).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                seen += 1;
                if seen > ENTRIES_MAX {
                    return Err(format!(
                        "{} and what is below hold more than the {ENTRIES_MAX} files and folders that are looked at",
                        self.folder.display()
                    ));
                }
                let (path, name) = (entry.path(), entry.file_name());
                // Hidden ones are others' business: a repository's, an editor's, a mounted volume's earlier states.
                if name.to_string_lossy().starts_with('.') {
                    continue;
                }
                // A link to a folder is not followed, as it could lead back; one to a file is.
                if entry.file_type().map_err(unreadable)?.is_dir() {
                    folders.push(path);
                } else if Format::of_file_name(&name.to_string_lossy()).is_some()
                    && let Ok(metadata) = fs::metadata(&path)
                    && metadata.is_file()
                {
                    stamps.insert(path, stamp(&metadata));
                }
            }
        }
        Ok(stamps)
    }

    /// Whether files differ from what was read.
    fn differs(&self, stamps: &Stamps) -> bool {
        stamps.len() != self.files.len()
            || stamps.iter().any(|(path, stamp)| self.files.get(path).is_none_or(|known| known.stamp != *stamp))
    }

    /// Reads what changed, and forgets what is gone.
    fn read(&mut self, stamps: Stamps) {
        self.files.retain(|path, _| stamps.contains_key(path));
        for (path, stamp) in stamps {
            if self.files.get(&path).is_some_and(|known| known.stamp == stamp) {
                continue;
            }
            let read = read(&path, &stamp, &self.names);
            let known = self.files.entry(path).or_insert(Known { stamp: stamp.clone(), rule: None, refused: None });
            known.stamp = stamp;
            match read {
                Ok(rule) => (known.rule, known.refused) = (Some(*rule), None),
                Err(Refused::PassedOver(why)) => (known.rule, known.refused) = (None, Some(Refused::PassedOver(why))),
                Err(broken) => known.refused = Some(broken),
            }
        }
    }

    /// The rules in force, in the order of their files' names. Of two with the same id the first is; so are the first of too many.
    pub fn in_force(&self) -> RulesInForce {
        let mut in_force = RulesInForce::default();
        let mut ids: BTreeMap<&str, &Path> = BTreeMap::new();
        for (path, known) in &self.files {
            let file = path.display().to_string();
            let refused = |reason: String| RefusedFile { file: file.clone(), reason };
            let Some(rule) = &known.rule else {
                match &known.refused {
                    Some(Refused::PassedOver(why)) => in_force.passed_over.push(refused(why.clone())),
                    Some(Refused::Broken(why)) => in_force.refused.push(refused(why.clone())),
                    None => {}
                }
                continue;
            };
            let id = rule.rule.id.as_str();
            if let Some(why) = self.clash(id, &ids, in_force.rules.len()) {
                in_force.refused.push(refused(why));
                continue;
            }
            ids.insert(id, path);
            let settings = self.settings.get(id).cloned().unwrap_or_default();
            let problem = match &known.refused {
                Some(Refused::Broken(why)) => Some(format!("{why}; its last good version holds")),
                _ => None,
            };
            in_force.rules.push(RuleInForce {
                rule: ActiveRule::new(rule.clone(), &settings, &self.defaults),
                file,
                is_disabled: settings.is_disabled,
                problem,
            });
        }
        in_force
    }

    /// Why a rule can't be in force beside those that are.
    fn clash(&self, id: &str, ids: &BTreeMap<&str, &Path>, count: usize) -> Option<String> {
        if let Some(other) = ids.get(id) {
            return Some(format!(
                "the id `{id}` is that of {} already; a file without `id` is called as it is named",
                other.display()
            ));
        }
        if self.names.guardrails.contains(id) {
            return Some(format!("a guardrail is called `{id}`, and a rule needs an id of its own"));
        }
        (count >= self.max)
            .then(|| format!("there are {count} rules in force, the most that are taken: take some away"))
    }

    /// Whether there is a rule of this id.
    pub fn has(&self, id: &str) -> bool {
        self.files.values().any(|known| known.rule.as_ref().is_some_and(|rule| rule.rule.id == id))
    }

    /// What the configuration says of rules that are not there.
    pub fn unknown_rules(&self) -> Vec<String> {
        let ids: BTreeSet<&str> =
            self.files.values().filter_map(|known| Some(known.rule.as_ref()?.rule.id.as_str())).collect();
        unknown_rules(&self.settings, ids.iter().copied())
    }
}

#[cfg(unix)]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    let identity = (metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
    Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), identity }
}

#[cfg(not(unix))]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    Stamp { modified: metadata.modified().ok(), bytes: metadata.len(), identity: (0, 0, 0) }
}

/// Reads a file; the error says why it is of no use.
fn read(path: &Path, stamp: &Stamp, names: &Names) -> Result<Box<WrittenRule>, Refused> {
    if stamp.bytes > FILE_BYTES_MAX {
        return Err(Refused::Broken(format!(
            "the file has {} bytes, more than the {FILE_BYTES_MAX} that are read",
            stamp.bytes
        )));
    }
    let text = fs::read_to_string(path).map_err(|error| Refused::Broken(format!("the file can't be read: {error}")))?;
    if text.trim().is_empty() {
        return Err(Refused::Broken("the file is empty".to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match rule::read(&text, &name, Some(names)) {
        Ok(RuleFile::Rule(rule)) => Ok(rule),
        Ok(RuleFile::OtherSource(source)) => {
            Err(Refused::PassedOver(format!("a Sigma rule for another log than AWS CloudTrail: {source}")))
        }
        Ok(RuleFile::Guardrail) => {
            Err(Refused::Broken("this is a guardrail: its place is in `guardrails_folder`".to_owned()))
        }
        Err(problems) => Err(Refused::Broken(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    }
}

#[cfg(test)]
mod tests;
