//! Tags of state machines and activities.

use super::{Engine, Refusal, names};

/// Tags of one thing, at most.
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const TAGS: usize = 50;

/// Refuses tags that nothing can have.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_Tag.html>
pub(super) fn check(arn: &str, tags: &[(String, String)]) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for (key, value) in tags {
        if key.is_empty() {
            return Err(Refusal::Validation("A tag has no key".to_owned()));
        }
        if key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(Refusal::Validation(format!(
                "The tag key '{key}' is refused: aws: is a prefix reserved for AWS use"
            )));
        }
        if !key.chars().chain(value.chars()).all(allowed) {
            return Err(Refusal::Validation(format!(
                "The tag '{key}' is refused: tags may only contain Unicode letters, digits, white space, or these symbols: _ . : / = + - @."
            )));
        }
    }
    let distinct: std::collections::BTreeSet<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
    if distinct.len() > TAGS { Err(too_many(arn)) } else { Ok(()) }
}

fn too_many(arn: &str) -> Refusal {
    Refusal::TooManyTags(format!("'{arn}' would have more than {TAGS} tags"))
}

impl Engine {
    /// TagResource.
    pub async fn tag(&self, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        self.check_taggable(arn).await?;
        check(arn, &tags)?;
        match self.shared().store.catalogue().tag(arn, tags, TAGS).await? {
            true => Ok(()),
            false => Err(too_many(arn)),
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
