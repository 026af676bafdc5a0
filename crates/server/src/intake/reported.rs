//! What somebody else found: a guardrail that names the control looks at the resource.

use detection::{Event, Finding, Sighting, WorkflowStatus};
use engine::ports::StoreError;

use super::Intake;

impl Intake {
    /// The sightings of an event that is a finding of Security Hub, GuardDuty or AWS Config, beside those that are known already. One that
    /// says that all is well is a reason to look only where a finding is open; closing it is for the inspection.
    pub(super) async fn reported(
        &self,
        event: &Event,
        known: &[(usize, Sighting)],
    ) -> Result<Vec<(usize, Sighting)>, StoreError> {
        let mut sightings = Vec::new();
        for (index, reported) in self.registry.reported(event) {
            let sighting = reported.sighting;
            let is_known = |(other, sighted): &(usize, Sighting)| {
                *other == index && (&sighted.resource, &sighted.account) == (&sighting.resource, &sighting.account)
            };
            if known.iter().chain(&sightings).any(is_known) {
                continue;
            }
            if !self.reaches(&sighting.account) {
                tracing::warn!(
                    guardrail = sighting.guardrail,
                    account = sighting.account,
                    event = event.identity(),
                    "a finding of another account that is not reached; name the role to assume there (`accounts: {{role: NAME}}` in rectify.yaml)"
                );
                continue;
            }
            if reported.is_failing || self.is_open(&sighting).await? {
                sightings.push((index, sighting));
            }
        }
        Ok(sightings)
    }

    async fn is_open(&self, sighting: &Sighting) -> Result<bool, StoreError> {
        let id = Finding::id_of(&sighting.guardrail, &sighting.account, &sighting.region, &sighting.resource);
        let finding = self.store.finding(&id).await?;
        Ok(finding.is_some_and(|finding| matches!(finding.status, WorkflowStatus::New | WorkflowStatus::Notified)))
    }
}
