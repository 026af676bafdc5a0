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
