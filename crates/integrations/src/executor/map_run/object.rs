//! An object of S3, read range by range: never all of it is in memory.

use std::io::{self, Read};

use aws::{Aws, CallError};
use bytes::{Buf, Bytes};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;

use super::{Cause, call, cause_of};

/// Bytes of one range.
const RANGE_BYTES: u64 = 8 << 20;
/// What S3 answers where a range begins after the end: of an empty object, every range does.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// An object, from its first byte on. Its ETag is that of its first range; if another one comes later, it was changed, and reading
/// it fails.
pub(super) struct Object {
    aws: Aws,
    region: String,
    /// Of `getObject`.
    arguments: Map<String, Value>,
    runtime: Handle,
    pub(super) etag: Option<String>,
    /// What was fetched and not read yet.
    range: Bytes,
    /// Bytes that were fetched.
    fetched: u64,
    /// Bytes in all.
    length: u64,
}

impl Object {
    /// Fetches the first range. An object that was read before has an ETag that it must still have.
    pub(super) async fn open(
        aws: &Aws,
        region: &str,
        arguments: Map<String, Value>,
        etag: Option<&str>,
    ) -> Result<Object, Cause> {
        let mut object = Object {
            aws: aws.clone(),
            region: region.to_owned(),
            arguments,
            runtime: Handle::current(),
            etag: etag.map(str::to_owned),
            range: Bytes::new(),
            fetched: 0,
            length: u64::MAX,
        };
        object.fetch().await?;
        Ok(object)
    }

    async fn fetch(&mut self) -> Result<(), Cause> {
        let mut arguments = self.arguments.clone();
        // Whoever asks for a part gets that part at once.
        let is_part = ["Range", "PartNumber"].iter().any(|field| arguments.contains_key(*field));
        if !is_part {
            let last = self.fetched.saturating_add(RANGE_BYTES - 1);
            arguments.insert("Range".to_owned(), json!(format!("bytes={}-{last}", self.fetched)));
            if let Some(etag) = &self.etag {
                arguments.insert("IfMatch".to_owned(), json!(etag));
            }
        }
        let (answer, body) = match call(&self.aws, &self.region, "getObject", Value::Object(arguments)).await {
            Ok(answer) => answer,
            Err(CallError::Service { status: RANGE_NOT_SATISFIABLE, .. }) if self.fetched == 0 => {
                self.length = 0;
                return Ok(());
            }
            Err(CallError::Service { status: 412, .. }) => return Err(self.changed()),
            Err(error) => return Err(cause_of(error)),
        };
        let etag = answer.get("ETag").and_then(Value::as_str).map(str::to_owned);
        if self.etag.is_some() && self.etag != etag {
            return Err(self.changed());
        }
        let length = answer.get("ContentRange").and_then(Value::as_str).and_then(length_of).filter(|_| !is_part);
        self.etag = etag;
        self.fetched = self.fetched.saturating_add(u64::try_from(body.len()).unwrap_or(u64::MAX));
        // Without a range in the answer, it is all there is.
        self.length = length.unwrap_or(self.fetched);
        if body.is_empty() && self.fetched < self.length {
            return Err(format!("{} ended after {} of {} bytes.", self.name(), self.fetched, self.length));
        }
        self.range = body;
        Ok(())
    }

    fn name(&self) -> String {
        let text = |field: &str| self.arguments.get(field).and_then(Value::as_str).unwrap_or_default();
        format!("The object 's3://{}/{}'", text("Bucket"), text("Key"))
    }

    fn changed(&self) -> Cause {
        format!("{} was changed while its items were read: start again.", self.name())
    }
}

/// The length of the whole in `bytes 0-7/100`.
fn length_of(range: &str) -> Option<u64> {
    range.rsplit_once('/')?.1.parse().ok()
}

/// Blocks while a range is fetched: not for the async runtime.
impl Read for Object {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.range.is_empty() && self.fetched < self.length {
            self.runtime.clone().block_on(self.fetch()).map_err(io::Error::other)?;
        }
        let count = buffer.len().min(self.range.len());
        self.range.split_to(count).copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use aws::Call;
    use engine::ports::{ItemPage, ItemsToRead};
    use execution::map_run::Reading;
    use tokio::sync::mpsc;

    use super::*;
    use crate::tests::moto::Moto;

    async fn put(aws: &Aws, key: &str, body: String) {
        let parameters = json!({"Bucket": "items", "Key": key, "Body": body});
        call(aws, "us-east-1", "putObject", parameters).await.unwrap();
    }

    async fn account() -> Option<(Moto, Aws)> {
        let moto = Moto::start()?;
        let aws = Aws::new(moto.options());
        let call = Call {
            service: "s3".to_owned(),
            action: "createBucket".to_owned(),
            parameters: json!({"Bucket": "items"}),
            region: None,
            role_arn: None,
            idempotency_token: None,
            attempts: 1,
            timeout_seconds: 60,
            answer_bytes: None,
        };
        aws.call(call).await.unwrap();
        Some((moto, aws))
    }

    /// Reads the pages of an object of JSON Lines, from a position on; after the first page, it is changed where `change` says what to.
    async fn read(aws: &Aws, from: Option<Value>, change: Option<&str>) -> (Vec<ItemPage>, Result<(), Cause>) {
        let reading = Reading {
            resource: "arn:aws:states:::s3:getObject".to_owned(),
            arguments: json!({"Bucket": "items", "Key": "k"}),
            config: json!({"InputType": "JSONL"}),
            max_items: 0,
        };
        let state_machine_arn = "arn:aws:states:us-east-1:123456789012:stateMachine:m/l".to_owned();
        let (sender, mut receiver) = mpsc::channel(1);
        let reads = super::super::read_items(aws, ItemsToRead { state_machine_arn, reading, from }, sender);
        let takes = async {
            let mut pages = Vec::new();
            while let Some(page) = receiver.recv().await {
                if let (Some(change), true) = (change, pages.is_empty()) {
                    put(aws, "k", change.to_owned()).await;
                }
                pages.push(page);
            }
            pages
        };
        let (read, pages) = tokio::join!(reads, takes);
        (pages, read)
    }

    #[tokio::test]
    async fn an_object_is_read_range_by_range_and_must_stay_as_it_is() {
        let Some((_moto, aws)) = account().await else { return };
        // Two ranges and a half: items cross their borders.
        let line = format!("\"{}\"\n", "x".repeat(99_997));
        put(&aws, "k", line.repeat(200)).await;
        let (pages, read_all) = read(&aws, None, None).await;
        assert_eq!(read_all, Ok(()));
        assert_eq!(pages.iter().map(|page| page.items.len()).sum::<usize>(), 200);
        assert!(pages.len() > 10, "a page is short where its items are long: {}", pages.len());
        let mut count = 0;
        for page in &pages {
            assert_eq!((page.skip, &page.position), (count, &pages[0].position));
            count += u64::try_from(page.items.len()).unwrap();
        }
        let position = pages[0].position.clone();
        assert_eq!(read(&aws, Some(position.clone()), None).await.1, Ok(()), "the same object from a position");
        let (_, changed) = read(&aws, None, Some("1\n")).await;
        assert!(changed.unwrap_err().contains("was changed while its items were read"));
        let (pages, changed) = read(&aws, Some(position), None).await;
        assert!(pages.is_empty() && changed.unwrap_err().contains("was changed"), "another object from a position");
        put(&aws, "k", String::new()).await;
        assert_eq!(read(&aws, None, None).await, (Vec::new(), Ok(())), "an empty one");
    }
}
