//! Answers AWS Config's invocations of custom rules (`PutEvaluations`) with what an inspection said.
//!
//! The token with which AWS Config invokes a rule is the only way to answer, and it does not last: an invocation that could not be
//! answered within an hour is given up, which the log tells. AWS Config asks again when the resource changes.

use std::{sync::Arc, time::Duration};

use aws::{Aws, Call, CallError};
use detection::{Compliance, arn::partition, incoming::Answerable};
use engine::{
    Clock,
    ports::{EvaluationStore, PendingEvaluation, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Invocations read at once.
const PAGE: usize = 100;
/// How often the store is looked at while there is nothing to answer, and one whose inspection is still to come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// The pause after a refusal, doubled with each further one up to the limit.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(2);
const PAUSE_LIMIT: SignedDuration = SignedDuration::from_mins(5);
/// For how long an answer is tried.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// Answers AWS Config.
pub struct ConfigRules {
    store: Arc<dyn EvaluationStore>,
    clock: Arc<dyn Clock>,
    aws: Aws,
    /// The name of the role by which accounts are reached.
    role: Option<String>,
}

/// What is to be done about an invocation.
enum Next {
    /// It was answered, or can't be.
    Forget,
    /// It is looked at again then, and was refused so often.
    At(Timestamp, u32),
}

impl ConfigRules {
    /// Answers what is in the store. `role` is the name of the role to assume in each account.
    pub fn new(store: Arc<dyn EvaluationStore>, clock: Arc<dyn Clock>, aws: Aws, role: Option<String>) -> ConfigRules {
        ConfigRules { store, clock, aws, role }
    }

    /// Never ends. Begins with what the last process had not answered.
    pub async fn run(self) {
        let mut is_failing = false;
        loop {
            match self.round().await {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !is_failing {
                        tracing::error!(%error, "the store does not say which rules of AWS Config wait for an answer; trying again");
                    }
                    is_failing = true;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        for pending in self.store.pending_evaluations(self.clock.now(), PAGE).await? {
            match self.answer(&pending).await {
                Next::Forget => self.store.forget_evaluation(pending.number).await?,
                Next::At(due, attempts) => {
                    self.store.put_off_evaluations(vec![(pending.number, attempts)], due).await?
                }
            }
        }
        Ok(())
    }

    async fn answer(&self, pending: &PendingEvaluation) -> Next {
        let now = self.clock.now();
        let (rule, resource) = (&pending.invocation.rule, &pending.invocation.resource_id);
        let answerable =
            pending.finding.as_ref().map_or(Answerable::Never, |finding| finding.answerable(pending.generation));
        let is_too_late = now.duration_since(pending.received_at) > GIVEN_UP_AFTER;
        match answerable {
            Answerable::Never => {
                tracing::warn!(rule, resource, "AWS Config is not answered: the resource could not be inspected");
                Next::Forget
            }
            _ if is_too_late => {
                tracing::warn!(rule, resource, "AWS Config is not answered: there was no answer within an hour");
                Next::Forget
            }
            Answerable::Later => Next::At(after(now, LOOK_AGAIN_AFTER), pending.attempts),
            Answerable::Now(compliance) => self.put(pending, compliance, now).await,
        }
    }

    async fn put(&self, pending: &PendingEvaluation, compliance: Compliance, now: Timestamp) -> Next {
        let (rule, resource) = (&pending.invocation.rule, &pending.invocation.resource_id);
        let reason = pending.finding.as_ref().map_or("", |finding| finding.reason.as_str());
        let error = match self.aws.call(self.call(pending, compliance, reason)).await {
            Ok(answer) => {
                let failed = answer.get("FailedEvaluations").and_then(Value::as_array);
                if failed.is_some_and(|failed| !failed.is_empty()) {
                    tracing::warn!(rule, resource, "AWS Config refused an evaluation; it is not sent again");
                }
                return Next::Forget;
            }
            Err(error) => error,
        };
        if matches!(&error, CallError::Service { code, .. } if code.starts_with("InvalidResultToken")) {
            tracing::warn!(rule, resource, "AWS Config is not answered: its result token is no longer valid");
            return Next::Forget;
        }
        if pending.attempts == 0 {
            tracing::warn!(rule, resource, %error, "AWS Config takes no answer; it is tried again for an hour, and told no more");
        }
        let doubled = 1_i32.checked_shl(pending.attempts.min(30)).unwrap_or(i32::MAX);
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(PAUSE_LIMIT);
        Next::At(after(now, pause), pending.attempts.saturating_add(1))
    }

    fn call(&self, pending: &PendingEvaluation, compliance: Compliance, reason: &str) -> Call {
        let (account, region) = (&pending.invocation.account, &pending.invocation.region);
        let role_arn = self.role.as_ref().map(|role| format!("arn:{}:iam::{account}:role/{role}", partition(region)));
        Call {
            service: "config".to_owned(),
            action: "putEvaluations".to_owned(),
            parameters: pending.invocation.put_evaluations(compliance, reason),
            region: Some(region.clone()),
            role_arn,
            idempotency_token: None,
            attempts: 3,
            timeout_seconds: 30,
            answer_bytes: None,
        }
    }
}

fn after(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
