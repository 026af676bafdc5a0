//! Playbooks that events start: so many at once, the others when it is their turn.

use std::sync::Arc;

use super::{Engine, Shared, stopping};
use crate::ports::{PlaybookStart, StoreError};

impl Engine {
    /// Says how many executions of a playbook may run at once from now on. To be said before its first event, and at every start: it is
    /// kept. Executions that people start or redrive are not counted.
    pub async fn limit_playbook(&self, playbook: &str, concurrency: u32) -> Result<(), StoreError> {
        let admitted = self.shared().store.limit_playbook(playbook, concurrency).await?;
        self.shared().admitted(admitted);
        Ok(())
    }

    /// Starts a playbook as [`Engine::receive`] does, after its event: once for each name.
    pub async fn start_playbook(&self, start: PlaybookStart) -> Result<(), StoreError> {
        let shared = self.shared().clone();
        let begun = shared.store.start_playbook(start, shared.clock.now()).await?;
        // It is durable: handing it over must not depend on whether the caller goes on waiting.
        let handing_over = tokio::spawn(async move {
            match begun {
                Some(arn) => shared.take_up(&arn).await,
                None => Ok(()),
            }
        });
        handing_over.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// How many executions of a playbook wait for their turn.
    pub async fn playbook_waiting(&self, playbook: &str) -> Result<u64, StoreError> {
        self.shared().store.playbook_waiting(playbook).await
    }
}

impl Shared {
    /// These executions have something to do now: they are taken up when there is room for them in memory.
    pub(super) fn admitted(self: &Arc<Self>, arns: Vec<String>) {
        if arns.is_empty() {
            return;
        }
        let shared = self.clone();
        tokio::spawn(async move {
            for arn in arns {
                // The engine is stopping: the next start takes them up.
                if shared.take_up(&arn).await.is_err() {
                    return;
                }
            }
        });
    }
}
