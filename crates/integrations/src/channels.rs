//! Where messages to people go.
//!
//! A channel is a name and a kind; a kind is one file. The configuration is `channels:` of `rectify.yaml`:
//! `security-team: {webhook: {url: "https://…"}}`.

pub mod webhook;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use aws::http::HttpClient;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::figures::{DeliveryResult, Figures};
use webhook::{Webhook, WebhookConfiguration};

/// A channel as it is configured: its kind, and what the kind needs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelConfiguration {
    /// Posts JSON to a URL.
    Webhook(WebhookConfiguration),
}

/// A channel that can't be used as it is configured.
#[derive(Debug, Error)]
#[error("the channel `{channel}` can't be used: {reason}")]
pub struct InvalidChannel {
    /// Its name.
    pub channel: String,
    /// Why, and what would do; without secrets.
    pub reason: String,
}

/// Why a message was not delivered; its text holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct DeliveryError(pub String);

/// A message to people.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What it is about: `noticed`, `question`, `fixed`, `failed` …
    pub kind: String,
    /// The same for the same message: a receiver can drop a second copy by it.
    pub id: String,
    /// For people: lines of plain text.
    pub text: String,
    /// For programs: the finding's `{id, guardrail, title, severity, account, region, resource, …}`.
    pub finding: Value,
}

/// A kind of channel.
#[async_trait]
trait Deliver: Send + Sync {
    /// Delivers a message, retrying within limits.
    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError>;
}

/// What became of a message on one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The channel's name.
    pub channel: String,
    /// Delivered, or why not.
    pub result: Result<(), DeliveryError>,
}

/// The channels that are configured. Cheap to clone.
#[derive(Clone, Default)]
pub struct Channels {
    channels: Vec<(String, Arc<dyn Deliver>)>,
    figures: Arc<Figures>,
}

impl Channels {
    /// From the configuration, by name.
    pub fn new(
        configuration: &BTreeMap<String, ChannelConfiguration>,
        client: &HttpClient,
    ) -> Result<Channels, InvalidChannel> {
        let mut channels = Vec::new();
        for (name, configuration) in configuration {
            let channel: Arc<dyn Deliver> = match configuration {
                ChannelConfiguration::Webhook(configuration) => Arc::new(
                    Webhook::new(configuration, client.clone())
                        .map_err(|reason| InvalidChannel { channel: name.clone(), reason })?,
                ),
            };
            channels.push((name.clone(), channel));
        }
        Ok(Channels { channels, figures: Arc::default() })
    }

    /// Whether nobody is configured.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// What is counted of messages, and of what else the executor that has these channels calls.
    pub fn figures(&self) -> Arc<Figures> {
        self.figures.clone()
    }

    /// Sends a message to every channel at once; answers when all have done, in the order of their names.
    pub async fn send(&self, message: &Message) -> Vec<Delivery> {
        let message = Arc::new(message.clone());
        let mut sending = JoinSet::new();
        for (name, channel) in &self.channels {
            let (name, channel, message) = (name.clone(), Arc::clone(channel), Arc::clone(&message));
            sending.spawn(async move {
                let result = channel.deliver(&message).await;
                Delivery { channel: name, result }
            });
        }
        let mut deliveries = sending.join_all().await;
        for delivery in &deliveries {
            let result = if delivery.result.is_ok() { DeliveryResult::Delivered } else { DeliveryResult::Failed };
            self.figures.channel_deliveries.of(&delivery.channel).of(result).increment();
        }
        deliveries.sort_by(|one, other| one.channel.cmp(&other.channel));
        deliveries
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.channels.iter().map(|(name, _)| name)).finish()
    }
}
