//! Objects below a prefix of S3: listed page by page, fetched several at once, handed on in the order of their keys.

use std::{collections::VecDeque, sync::Arc};

use aws::{Aws, Call};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinHandle};

use super::inputs::{Body, Input, is_of_no_use};
use crate::{commands::Problem, start};

/// Objects fetched at once.
const FETCHES_AT_ONCE: usize = 16;
/// The bytes of objects that are fetched, or wait to be read, beyond which no further fetch begins.
const BYTES_AT_ONCE: u64 = 64 << 20;
/// The largest object, as it is stored. CloudTrail's are a few MB.
const OBJECT_LIMIT_BYTES: usize = 128 << 20;
const ATTEMPTS: u32 = 5;
const TIMEOUT_SECONDS: u64 = 120;

/// S3, with the credentials of the environment.
pub struct S3 {
    runtime: Runtime,
    aws: Aws,
}

/// A prefix that was found.
pub struct Prefix {
    bucket: String,
    prefix: String,
    region: Option<String>,
    first: Page,
}

/// A page of a listing.
#[derive(Default)]
struct Page {
    objects: Vec<Object>,
    next: Option<String>,
}

struct Object {
    key: String,
    bytes: u64,
}

impl S3 {
    /// Reads the environment.
    pub fn new() -> Result<S3, Problem> {
        let runtime = start::runtime().map_err(Problem::new)?;
        let aws = runtime.block_on(Aws::from_environment());
        Ok(S3 { runtime, aws })
    }

    /// Finds the bucket's Region and lists the first page: what can't be listed at all, or holds nothing, is told at once.
    pub fn open(&self, bucket: &str, prefix: &str) -> Result<Prefix, Problem> {
        let name = format!("s3://{bucket}/{prefix}");
        if bucket.is_empty() {
            return Err(Problem(format!("`{name}` names no bucket: it has to be like `s3://bucket/prefix`")));
        }
        let mut found =
            Prefix { bucket: bucket.to_owned(), prefix: prefix.to_owned(), region: None, first: Page::default() };
        let first = self.runtime.block_on(async {
            found.region = self.region(bucket).await;
            list(&self.aws, &found, None).await
        });
        found.first = first.map_err(|reason| Problem(format!("`{name}` can't be listed: {reason}")))?;
        if found.first.objects.is_empty() && found.first.next.is_none() {
            return Err(Problem(format!(
                "there is no object whose key begins with `{prefix}` in the bucket `{bucket}`"
            )));
        }
        Ok(found)
    }

    /// The objects of a prefix, fetched as they are asked for. They end with what goes wrong in listing.
    pub fn objects(self: Arc<S3>, prefix: Prefix) -> impl Iterator<Item = Input> + Send {
        let (sender, mut receiver) = mpsc::channel(1);
        let fetching = Fetching { aws: self.aws.clone(), prefix, sender, under_way: VecDeque::new(), bytes: 0 };
        self.runtime.spawn(fetching.run());
        std::iter::from_fn(move || {
            // The runtime lives for as long as something may come.
            let _runtime = &self.runtime;
            receiver.blocking_recv()
        })
    }

    /// The bucket's Region, where it is told; else the process's own will do, or lead to it.
    async fn region(&self, bucket: &str) -> Option<String> {
        let call = call("headBucket", json!({"Bucket": bucket}), None);
        let answer = self.aws.call(call).await.ok()?;
        answer.get("BucketRegion").and_then(Value::as_str).map(str::to_owned)
    }
}

struct Fetching {
    aws: Aws,
    prefix: Prefix,
    sender: mpsc::Sender<Input>,
    under_way: VecDeque<(u64, JoinHandle<Input>)>,
    bytes: u64,
}

impl Fetching {
    async fn run(mut self) {
        let mut page = std::mem::take(&mut self.prefix.first);
        loop {
            for object in page.objects {
                let is_full = |fetching: &Fetching| {
                    fetching.under_way.len() >= FETCHES_AT_ONCE || fetching.bytes + object.bytes > BYTES_AT_ONCE
                };
                while !self.under_way.is_empty() && is_full(&self) {
                    if !self.hand_on().await {
                        return;
                    }
                }
                self.fetch(object);
            }
            let Some(token) = page.next else { break };
            page = match list(&self.aws, &self.prefix, Some(&token)).await {
                Ok(page) => page,
                Err(reason) => {
                    let name = format!("s3://{}/{}", self.prefix.bucket, self.prefix.prefix);
                    let body = Body::Unreadable(format!("what comes after this can't be listed: {reason}"));
                    self.under_way.push_back((0, tokio::spawn(async { Input { name, body } })));
                    break;
                }
            };
        }
        while !self.under_way.is_empty() && self.hand_on().await {}
    }

    /// Hands on the object that was asked for first; tells whether anybody takes it.
    async fn hand_on(&mut self) -> bool {
        let Some((bytes, fetch)) = self.under_way.pop_front() else { return true };
        self.bytes = self.bytes.saturating_sub(bytes);
        match fetch.await {
            Ok(input) => self.sender.send(input).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "fetching an object ended by itself, which is a bug");
                false
            }
        }
    }

    fn fetch(&mut self, object: Object) {
        let name = format!("s3://{}/{}", self.prefix.bucket, object.key);
        let bytes = object.bytes;
        self.bytes += bytes;
        let (aws, bucket, region) = (self.aws.clone(), self.prefix.bucket.clone(), self.prefix.region.clone());
        let fetch = async move {
            let body = if is_of_no_use(&object.key) {
                Body::PassedOver
            } else {
                body(&aws, &bucket, &object, region).await.map_or_else(Body::Unreadable, Body::Object)
            };
            Input { name, body }
        };
        self.under_way.push_back((bytes, tokio::spawn(fetch)));
    }
}

async fn body(aws: &Aws, bucket: &str, object: &Object, region: Option<String>) -> Result<bytes::Bytes, String> {
    let too_large = || format!("is larger than the {OBJECT_LIMIT_BYTES} bytes that are fetched of an object");
    if usize::try_from(object.bytes).map_or(true, |bytes| bytes > OBJECT_LIMIT_BYTES) {
        return Err(too_large());
    }
    let call = Call {
        answer_bytes: Some(OBJECT_LIMIT_BYTES),
        ..call("getObject", json!({"Bucket": bucket, "Key": object.key}), region)
    };
    match aws.call_for_body(call).await {
        Ok((_, body)) => Ok(body),
        Err(aws::CallError::TooLong { .. }) => Err(too_large()),
        Err(error) => Err(format!("can't be fetched: {error}")),
    }
}

async fn list(aws: &Aws, prefix: &Prefix, token: Option<&str>) -> Result<Page, String> {
    let mut parameters = json!({"Bucket": prefix.bucket, "Prefix": prefix.prefix});
    if let (Some(token), Some(parameters)) = (token, parameters.as_object_mut()) {
        parameters.insert("ContinuationToken".to_owned(), token.into());
    }
    let answer =
        aws.call(call("listObjectsV2", parameters, prefix.region.clone())).await.map_err(|error| error.to_string())?;
    let object = |object: &Value| {
        let key = object.get("Key").and_then(Value::as_str)?.to_owned();
        Some(Object { key, bytes: object.get("Size").and_then(Value::as_u64).unwrap_or(0) })
    };
    let objects = answer.get("Contents").and_then(Value::as_array).into_iter().flatten().filter_map(object).collect();
    let next = answer.get("NextContinuationToken").and_then(Value::as_str).map(str::to_owned);
    Ok(Page { objects, next })
}

fn call(action: &str, parameters: Value, region: Option<String>) -> Call {
    Call {
        service: "s3".to_owned(),
        action: action.to_owned(),
        parameters,
        region,
        role_arn: None,
        idempotency_token: None,
        attempts: ATTEMPTS,
        timeout_seconds: TIMEOUT_SECONDS,
        answer_bytes: None,
    }
}
