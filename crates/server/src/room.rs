//! How much of what sources send is in memory at once. Whoever finds no room waits for a moment, and is then asked to come again.

use std::{borrow::Cow, io::Read as _, sync::Arc, time::Duration};

use flate2::read::MultiGzDecoder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body once it is inflated: a CloudTrail log object holds some 50 MB at most.
pub const INFLATED_LIMIT_BYTES: usize = 64 << 20;
/// The most JSON values, names among them, of one body: each takes memory, however short it is. CloudTrail's take 12 bytes and more.
const VALUES_LIMIT: usize = 8_000_000;
/// Bodies that arrive, or wait for what becomes of them, in bytes as they are sent.
const ARRIVING_BYTES: usize = 64 << 20;
/// What of it a body takes at once: so no more bodies than 1,024 are there at the same time.
const ARRIVING_STEP_BYTES: usize = 64 << 10;
/// Bodies and objects that are being read, in bytes as they are inflated: two of the largest.
const READING_BYTES: usize = 2 * INFLATED_LIMIT_BYTES;
/// What a JSON value counts for at least among them.
const VALUE_BYTES: usize = 8;
/// Log objects that are being fetched and read.
const OBJECTS_AT_ONCE: usize = 4;
/// How long somebody waits for room: EventBridge waits for 5 s for the whole answer.
const PATIENCE: Duration = Duration::from_secs(2);
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const KIBIBYTE: usize = 1 << 10;

/// The room there is, for all sources together. Counted in KiB.
#[derive(Debug)]
pub(crate) struct Room {
    arriving: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    objects: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Room {
    fn default() -> Room {
        let room = |bytes: usize| Arc::new(Semaphore::new(bytes / KIBIBYTE));
        Room {
            arriving: room(ARRIVING_BYTES),
            reading: room(READING_BYTES),
            objects: Arc::new(Semaphore::new(OBJECTS_AT_ONCE)),
            patience: PATIENCE,
        }
    }
}

/// There is no room for a body now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl NoRoom {
    pub(crate) const TEXT: &str = "as much as is taken in at once is under way already: send it again in a moment";
}

/// The room of one body while it arrives, until this is dropped.
#[derive(Debug)]
pub(crate) struct Arriving {
    room: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    patience: Duration,
}

impl Arriving {
    /// Takes room for all of `bytes`, which are more than before.
    pub(crate) async fn cover(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = (bytes.div_ceil(ARRIVING_STEP_BYTES) * ARRIVING_STEP_BYTES / KIBIBYTE).saturating_sub(held);
        if needed == 0 {
            return Ok(());
        }
        let needed = u32::try_from(needed).map_err(|_| NoRoom)?;
        let more = tokio::time::timeout(self.patience, self.room.clone().acquire_many_owned(needed)).await;
        let more = more.map_err(|_| NoRoom)?.map_err(|_| NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

impl Room {
    /// The room of a body that is about to arrive: none yet.
    pub(crate) fn arriving(&self) -> Arriving {
        Arriving { room: self.arriving.clone(), held: None, patience: self.patience }
    }

    /// Waits until one more log object may be fetched.
    pub(crate) async fn object(&self) -> Option<OwnedSemaphorePermit> {
        self.objects.clone().acquire_owned().await.ok()
    }

    /// A body as it can be read, inflated and within the limits, once there is room for that; the room is given back with the
    /// permit. Or why it is too much.
    pub(crate) async fn readable<'b>(
        &self,
        body: &'b [u8],
    ) -> Result<(Cow<'b, [u8]>, Option<OwnedSemaphorePermit>), String> {
        let is_gzip = body.starts_with(&GZIP_MAGIC);
        let most = if is_gzip { INFLATED_LIMIT_BYTES } else { weight(body, values(body)) };
        let mut permit = self.reading.clone().acquire_many_owned(kibibytes(most)).await.ok();
        let body = inflate(body)?.map_or(Cow::Borrowed(body), Cow::Owned);
        let values = values(&body);
        if values > VALUES_LIMIT {
            return Err(format!(
                "the body holds more than the {VALUES_LIMIT} JSON values that are taken at once: send it in parts"
            ));
        }
        if let Some(permit) = &mut permit {
            let needed = usize::try_from(kibibytes(weight(&body, values))).unwrap_or(usize::MAX);
            drop(permit.split(permit.num_permits().saturating_sub(needed)));
        }
        Ok((body, permit))
    }
}

/// What a body counts for while it is read.
fn weight(body: &[u8], values: usize) -> usize {
    body.len().max(values.saturating_mul(VALUE_BYTES)).min(INFLATED_LIMIT_BYTES)
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(KIBIBYTE)).unwrap_or(u32::MAX)
}

/// How many JSON values and names a body holds, counted by where they begin, without keeping any.
fn values(body: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped, mut in_word) = (0, false, false, false);
    for byte in body {
        if in_text {
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        let is_word = byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        in_text = *byte == b'"';
        count += usize::from(in_text || b"{[".contains(byte) || is_word && !in_word);
        in_word = is_word;
    }
    count
}

/// The inflated body, or `None` where it is not gzipped.
fn inflate(body: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if !body.starts_with(&GZIP_MAGIC) {
        return Ok(None);
    }
    let mut inflated = Vec::new();
    let limit = u64::try_from(INFLATED_LIMIT_BYTES).unwrap_or(u64::MAX);
    MultiGzDecoder::new(body)
        .take(limit + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| format!("the body begins as gzip does, but can't be inflated: {error}"))?;
    if inflated.len() > INFLATED_LIMIT_BYTES {
        return Err(format!(
            "the gzipped body of {} bytes inflates to more than the {INFLATED_LIMIT_BYTES} bytes that are taken: send it in parts",
            body.len()
        ));
    }
    Ok(Some(inflated))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[tokio::test]
    async fn values_are_counted_without_being_read() {
        let check = |body: &str, expected: usize| assert_eq!(values(body.as_bytes()), expected, "{body}");
        check("", 0);
        check("[1, -2.5e+3, true,null]", 5);
        check(r#"{"a": "b, {c}", "d\\": ["\\\"", {}]}"#, 7);
        check("1 1\n1", 3);
        let ones = format!("[{}1]", "1,".repeat(30 << 20));
        let refused = Room::default().readable(ones.as_bytes()).await.unwrap_err();
        assert!(refused.contains("more than the 8000000 JSON values"));
    }

    #[test]
    fn gzip_is_inflated_within_limits() {
        assert_eq!(inflate(b"{}"), Ok(None));
        assert_eq!(inflate(&gzip(b"{}")), Ok(Some(b"{}".to_vec())));
        let bomb = gzip(&vec![0; INFLATED_LIMIT_BYTES + 1]);
        assert!(inflate(&bomb).unwrap_err().contains("inflates to more than"), "{} bytes", bomb.len());
        assert!(inflate(&[0x1f, 0x8b, 0, 0]).unwrap_err().contains("can't be inflated"));
    }

    #[tokio::test]
    async fn what_is_read_takes_room_by_what_it_is_inflated_to() {
        let room = Room::default();
        let free = || room.reading.available_permits();
        let all = free();
        let check = async |body: &[u8], kibibytes: usize| {
            let (_, permit) = room.readable(body).await.unwrap();
            assert_eq!(all - free(), kibibytes);
            drop(permit);
            assert_eq!(free(), all);
        };
        check(b"{}", 1).await;
        check(&vec![b' '; 100 << 10], 100).await;
        check(&gzip(&vec![b' '; 100 << 10]), 100).await;
        // Each value is more than the two bytes of its text.
        check(format!("[{}1]", "1,".repeat(128 << 10)).as_bytes(), 1025).await;
        // What is refused holds nothing.
        assert!(room.readable(&[0x1f, 0x8b, 0, 0]).await.is_err());
        assert_eq!(free(), all);
    }

    #[tokio::test]
    async fn what_arrives_beyond_the_limit_waits_and_is_refused() {
        let room = Room { patience: Duration::ZERO, ..Room::default() };
        let (mut first, mut second) = (room.arriving(), room.arriving());
        assert_eq!(first.cover(1).await, Ok(()));
        assert_eq!(first.cover(ARRIVING_STEP_BYTES).await, Ok(()));
        assert_eq!(room.arriving.available_permits(), (ARRIVING_BYTES - ARRIVING_STEP_BYTES) / KIBIBYTE);
        assert_eq!(second.cover(ARRIVING_BYTES).await, Err(NoRoom));
        drop(first);
        assert_eq!(second.cover(ARRIVING_BYTES).await, Ok(()));
        assert_eq!(room.arriving().cover(1).await, Err(NoRoom));
    }
}
