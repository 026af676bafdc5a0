//! Tags of state machines and activities.

use super::{Engine, Refusal, names};

/// Tags of one thing, at most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const TAGS: usize = 50;

impl Engine {
    /// TagResource.
    pub async fn tag(&self, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        self.check_taggable(arn).await?;
        match self.shared().store.catalogue().tag(arn, tags, TAGS).await? {
            true => Ok(()),
            false => Err(Refusal::TooManyTags(format!("'{arn}' would have more than {TAGS} tags"))),
        }
    }

    /// UntagResource. What is not there is removed already.
    pub async fn untag(&self, arn: &str, keys: Vec<String>) -> Result<(), Refusal> {
        self.check_taggable(arn).await?;
        Ok(self.shared().store.catalogue().untag(arn, keys).await?)
    }

    /// ListTagsForResource, in the order of their keys.
    pub async fn tags(&self, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        self.check_taggable(arn).await?;
        Ok(self.shared().store.catalogue().tags(arn).await?)
    }

    async fn check_taggable(&self, arn: &str) -> Result<(), Refusal> {
        let there = if names::check_activity_arn(arn).is_ok() {
            self.shared().store.catalogue().activity(arn).await?.is_some()
        } else {
            names::check_state_machine_arn(arn)?;
            self.shared().store.state_machine(arn).await?.is_some()
        };
        match there {
            true => Ok(()),
            false => Err(Refusal::ResourceNotFound(format!("Resource not found: '{arn}'"))),
        }
    }
}
