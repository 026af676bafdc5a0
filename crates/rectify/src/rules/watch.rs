//! Looks at the folder again and again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use server::{
    Registry,
    registry::{RefusedFile, RulesInForce},
};

use super::{RulesFolder, Stamps};

/// How often the folder is looked at.
const EVERY: Duration = Duration::from_secs(2);
/// For how long files that changed have to stand still before they are read.
const STILL: Duration = Duration::from_millis(250);
/// How often that is waited for: a folder that is written to all the time is read all the same.
const STILL_TRIES: u32 = 20;

/// How many files that can't be used are told one by one at a time.
const TOLD_AT_ONCE: usize = 20;

/// Puts rules in force as their files come, change and go. Never ends.
pub async fn watch(mut rules: RulesFolder, registry: Arc<Registry>) {
    // Those were told at the start.
    let mut told = wrong(&rules.in_force());
    let mut is_gone = false;
    // Of changed files: as they were when last looked at, and how often.
    let mut changed: Option<(Stamps, u32)> = None;
    loop {
        tokio::time::sleep(if changed.is_some() { STILL } else { EVERY }).await;
        let (folder, looked) = match on_a_thread(rules, RulesFolder::looked).await {
            Some(looked) => looked,
            None => return,
        };
        rules = folder;
        changed = match (looked, changed.take()) {
            (Err(error), _) => {
                if !is_gone {
                    tracing::error!(error, "the folder of rules can't be looked into; the rules stay as they are");
                }
                is_gone = true;
                continue;
            }
            (Ok(stamps), _) if !rules.differs(&stamps) => None,
            (Ok(stamps), Some((before, tries))) if before == stamps || tries >= STILL_TRIES => {
                let into = Arc::clone(&registry);
                let Some((folder, in_force)) = on_a_thread(rules, move |rules| rules.put(stamps, &into)).await else {
                    return;
                };
                rules = folder;
                told = tell(&in_force, &told);
                None
            }
            (Ok(stamps), before) => Some((stamps, before.map_or(0, |(_, tries)| tries + 1))),
        };
        is_gone = false;
    }
}

/// Files are read, and rules compiled, where it holds up nobody. `None`: the process ends.
async fn on_a_thread<T: Send + 'static>(
    mut rules: RulesFolder,
    work: impl FnOnce(&mut RulesFolder) -> T + Send + 'static,
) -> Option<(RulesFolder, T)> {
    tokio::task::spawn_blocking(move || {
        let done = work(&mut rules);
        (rules, done)
    })
    .await
    .ok()
}

impl RulesFolder {
    fn looked(&mut self) -> Result<Stamps, String> {
        self.look()
    }

    fn put(&mut self, stamps: Stamps, registry: &Registry) -> RulesInForce {
        self.read(stamps);
        let in_force = self.in_force();
        registry.put_rules(in_force.clone());
        in_force
    }
}

/// Files that can't be used, each with the reason.
type Wrong = BTreeSet<(String, String)>;

fn wrong(in_force: &RulesInForce) -> Wrong {
    let kept = in_force.rules.iter().filter_map(|rule| Some((rule.file.clone(), rule.problem.clone()?)));
    let refused = in_force.refused.iter().map(|RefusedFile { file, reason }| (file.clone(), reason.clone()));
    kept.chain(refused).collect()
}

/// Tells what was not told before; all that is wrong now.
pub(super) fn tell(in_force: &RulesInForce, told: &Wrong) -> Wrong {
    let wrong = wrong(in_force);
    for (file, reason) in wrong.difference(told).take(TOLD_AT_ONCE) {
        tracing::error!(file, reason, "this file of a rule can't be used; the others go on");
    }
    let more = wrong.difference(told).count().saturating_sub(TOLD_AT_ONCE);
    if more > 0 {
        tracing::error!(more, "and so many more files of rules; `rectify rules` tells them all");
    }
    tracing::info!(
        rules = in_force.rules.len(),
        files_that_cannot_be_used = wrong.len(),
        other_logs = in_force.passed_over.len(),
        "rules in force"
    );
    wrong
}
