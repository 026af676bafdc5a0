//! What is counted of events as they come in.

use std::time::Duration;

use engine::{
    measure::{By, ByName, Counter, TimeGauge},
    ports::Receipt,
};
use jiff::Timestamp;
use serde_json::Value;

engine::label! {
    /// By which way an event came.
    pub enum Way {
        /// A queue that is polled.
        Sqs = "sqs",
        /// `POST /events`.
        Events = "events",
        /// `PutEvents`.
        PutEvents = "put_events",
        /// A webhook.
        Webhook = "webhook",
        /// A topic's message, `POST /sns`.
        Sns = "sns",
        /// A log object in S3.
        Object = "s3_object",
        /// Any other.
        Other = "other",
    }
}

engine::label! {
    /// What became of an event.
    pub enum EventResult {
        /// It is new, and stored.
        New = "new",
        /// It had been received before.
        Duplicate = "duplicate",
        /// It, or the body it came in, is no event that can be acted on: kept with its reason.
        Unreadable = "unreadable",
    }
}

engine::label! {
    /// Whether an export reached its collector.
    pub enum ExportResult {
        /// It did.
        Ok = "ok",
        /// It did not.
        Failed = "failed",
    }
}

engine::label! {
    /// What became of a span.
    pub enum SpanResult {
        /// The collector took it.
        Sent = "sent",
        /// It did not, with all tries that there are.
        Dropped = "dropped",
    }
}

engine::figures! {
    /// What is counted of events as they come in, since the process began.
    pub struct Figures {
        /// Events that came in, by the way and by what became of them.
        events: By<Way, By<EventResult, Counter>> = "rectify_events_total" ["source", "result"];
        /// New events in which a guardrail saw a resource.
        events_matched: By<Way, Counter> = "rectify_events_matched_total" ["source"];
        /// Guardrails that could not be evaluated on an event, and were skipped.
        guardrail_errors: ByName<Counter> = "rectify_guardrail_errors_total" ["guardrail"];
        /// How old the oldest message of the last poll was when it came; 0 where the poll brought none.
        queue_age: ByName<TimeGauge> = "rectify_queue_oldest_message_age_seconds" ["queue"];
        /// Messages that polls brought.
        queue_messages: ByName<Counter> = "rectify_queue_messages_total" ["queue"];
        /// Polls that failed, and were tried again.
        queue_failures: ByName<Counter> = "rectify_queue_poll_failures_total" ["queue"];
        /// Exports of metrics and traces to the OpenTelemetry collector.
        otlp_exports: By<ExportResult, Counter> = "rectify_otlp_exports_total" ["result"];
        /// Spans, by whether the collector took them.
        spans: By<SpanResult, Counter> = "rectify_spans_total" ["result"];
    }
}

impl Way {
    /// The way of an origin, as intake and the store name it.
    pub fn of(origin: &str) -> Way {
        match origin {
            "POST /events" => Way::Events,
            "PutEvents" => Way::PutEvents,
            "POST /sns" => Way::Sns,
            origin if origin.starts_with("POST /webhooks/") => Way::Webhook,
            origin if origin.starts_with("s3://") => Way::Object,
            origin if origin.contains("://") => Way::Sqs,
            _ => Way::Other,
        }
    }
}

impl Figures {
    /// An event was stored, or had been.
    pub fn received(&self, way: Way, receipt: &Receipt) {
        let result = if receipt.duplicate { EventResult::Duplicate } else { EventResult::New };
        self.events.of(way).of(result).increment();
        if receipt.started + receipt.absorbed > 0 {
            self.events_matched.of(way).increment();
        }
    }

    /// A queue was polled, and brought these messages.
    pub fn polled(&self, url: &str, messages: &[Value]) {
        let queue = queue_name(url);
        let sent = messages.iter().filter_map(|message| message.pointer("/Attributes/SentTimestamp")?.as_str());
        let oldest = sent.filter_map(|sent| Timestamp::from_millisecond(sent.parse().ok()?).ok()).min();
        let age = oldest.map(|oldest| Duration::try_from(Timestamp::now().duration_since(oldest)).unwrap_or_default());
        self.queue_age.of(queue).set(age.unwrap_or_default());
        self.queue_messages.of(queue).add_all(messages.len());
    }

    /// Something could not be read.
    pub fn unreadable(&self, way: Way) {
        self.events.of(way).of(EventResult::Unreadable).increment();
    }
}

/// The name of a queue: the last part of its URL.
pub fn queue_name(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_told_by_their_origins() {
        for (origin, expected) in [
            ("POST /events", Way::Events),
            ("POST /webhooks/okta", Way::Webhook),
            ("s3://trail/AWSLogs/x.json.gz", Way::Object),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/rectify-events", Way::Sqs),
            ("PutEvents", Way::PutEvents),
            ("elsewhere", Way::Other),
        ] {
            assert_eq!(Way::of(origin), expected, "{origin}");
        }
    }

    #[test]
    fn queues_are_named_without_account_and_host() {
        assert_eq!(queue_name("https://sqs.eu-west-1.amazonaws.com/123456789012/rectify-events"), "rectify-events");
        assert_eq!(queue_name("q"), "q");
    }
}
