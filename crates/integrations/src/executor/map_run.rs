//! What a map run reads from S3 and writes to it.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>,
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

mod csv;
mod format;
mod json;
mod manifest;
mod object;
mod unpack;

use aws::{Aws, Call, CallError};
use bytes::Bytes;
use engine::ports::{ItemPage, ItemsToRead, ObjectToPut};
use execution::map_run::Item;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use self::{format::Format, object::Object, unpack::Content};

/// Attempts of a call, and seconds for each.
const ATTEMPTS: u32 = 4;
const TIMEOUT_SECONDS: u64 = 300;
/// Items handed over at once, and the bytes that they took in their file.
const PAGE: usize = 256;
const PAGE_BYTES: u64 = 1 << 20;
/// Bytes of a manifest.
const MANIFEST_BYTES: usize = 64 << 20;

/// Why items were not read: the cause of `States.ItemReaderFailed`.
type Cause = String;

/// Reads the items, page by page.
pub(super) async fn read_items(aws: &Aws, items: ItemsToRead, pages: mpsc::Sender<ItemPage>) -> Result<(), Cause> {
    let position = match items.from {
        Some(from) => {
            serde_json::from_value(from).map_err(|error| format!("The reader's position is none: {error}."))?
        }
        None => Position::default(),
    };
    let config = Config(&items.reading.config);
    let arguments = items.reading.arguments.as_object().cloned().unwrap_or_default();
    let owner = arguments.get("ExpectedBucketOwner").cloned();
    let mut reader = Reader { aws, region: region(&items.state_machine_arn)?, config, owner, pages, position };
    let done = match action(&items.reading.resource) {
        "getObject" => reader.object(arguments).await,
        "listObjectsV2" => reader.listing(arguments).await,
        _ => {
            return Err(format!(
                "The ItemReader's Resource '{}' can't be read: use s3:getObject or s3:listObjectsV2.",
                items.reading.resource
            ));
        }
    };
    match done {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Failed(cause)) => Err(cause),
    }
}

/// What an ItemReader with this `ReaderConfig` makes of the text of a file, as JSON: of a JSON file that file itself, because an
/// `ItemsPointer` leads into it.
///
/// # Errors
///
/// Why it can't be read so.
pub fn item_reader_data(config: &Value, data: String) -> Result<String, Cause> {
    let config = Config(config);
    match config.text("InputType") {
        Some("JSON") | None => return Ok(data),
        Some(other @ ("MANIFEST" | "PARQUET")) => {
            return Err(format!(
                "An ItemReader of InputType {other} is not tested here: give its items as those of a JSON, JSONL or CSV file."
            ));
        }
        Some(_) => {}
    }
    let mut items = Vec::new();
    let content = Content::of(std::io::Cursor::new(data.into_bytes()))?;
    Format::of(config)?.parse(content, &mut |item, _, _| {
        items.push(item);
        true
    })?;
    Ok(Value::Array(items).to_string())
}

/// Writes an object of a run's results.
pub(super) async fn put_object(aws: &Aws, object: ObjectToPut) -> Result<(), String> {
    let parameters =
        json!({"Bucket": object.bucket, "Key": object.key, "Body": object.body, "ContentType": "application/json"});
    call(aws, &region(&object.state_machine_arn)?, "putObject", parameters).await.map(drop).map_err(cause_of)
}

/// Why reading ends before the items do.
enum Stop {
    /// Nobody wants any more.
    Enough,
    Failed(Cause),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Stop {
        Stop::Failed(cause)
    }
}

/// `ReaderConfig`.
#[derive(Clone, Copy)]
struct Config<'a>(&'a Value);

impl<'a> Config<'a> {
    fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field)?.as_str()
    }
}

/// Where reading begins anew: a file, from its first item on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// What continues a listing to this page of it.
    token: Option<String>,
    /// The ETag of the manifest.
    manifest: Option<String>,
    /// Which file of the page or of the manifest.
    file: usize,
    /// That file's ETag: it must be the same file.
    etag: Option<String>,
}

struct Reader<'a> {
    aws: &'a Aws,
    region: String,
    config: Config<'a>,
    /// `ExpectedBucketOwner`, of every object that is read.
    owner: Option<Value>,
    pages: mpsc::Sender<ItemPage>,
    /// From where on; then, where it is.
    position: Position,
}

impl Reader<'_> {
    /// `getObject`: a file of items, or a manifest of such files.
    async fn object(&mut self, arguments: Map<String, Value>) -> Result<(), Stop> {
        match (self.config.text("ManifestType"), self.config.text("InputType")) {
            (Some("ATHENA_DATA"), _) => {
                let format = Format::of(self.config)?;
                let files = manifest::athena(&self.manifest(arguments).await?)?;
                self.files(&files, &format).await
            }
            (Some("S3_INVENTORY"), _) | (None, Some("MANIFEST")) => {
                let inventory = manifest::inventory(&self.manifest(arguments).await?, self.config)?;
                let bucket = inventory.bucket;
                let files: Vec<_> = inventory.keys.into_iter().map(|key| (bucket.clone(), key)).collect();
                self.files(&files, &inventory.format).await
            }
            (Some(other), _) => Err(Stop::Failed(format!("The ManifestType '{other}' is not known."))),
            (None, _) => {
                let format = Format::of(self.config)?;
                self.file(arguments, &format).await
            }
        }
    }

    /// The whole of a manifest, which must be the one that was read before.
    async fn manifest(&mut self, arguments: Map<String, Value>) -> Result<Vec<u8>, Stop> {
        let object = Object::open(self.aws, &self.region, arguments, self.position.manifest.as_deref()).await?;
        self.position.manifest.clone_from(&object.etag);
        let read = move || Content::of(object)?.whole(MANIFEST_BYTES);
        Ok(tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(panicked()))?)
    }

    /// `listObjectsV2`: what is known of each object, or the items in all of them.
    async fn listing(&mut self, mut arguments: Map<String, Value>) -> Result<(), Stop> {
        let bucket = arguments.get("Bucket").and_then(Value::as_str).unwrap_or_default().to_owned();
        let flattened = match self.config.text("Transformation") {
            Some("LOAD_AND_FLATTEN") => Some(Format::of(self.config)?),
            _ => None,
        };
        loop {
            if let Some(token) = &self.position.token {
                arguments.insert("ContinuationToken".to_owned(), json!(token));
            }
            let listed = call(self.aws, &self.region, "listObjectsV2", Value::Object(arguments.clone())).await;
            let (answer, _) = listed.map_err(cause_of)?;
            let contents = answer.get("Contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            match &flattened {
                Some(format) => {
                    let keys = contents.iter().filter_map(|object| object.get("Key")?.as_str());
                    // A key that ends in a slash stands for a folder, and holds nothing.
                    let keys = keys.filter(|key| !key.ends_with('/'));
                    let files: Vec<_> = keys.map(|key| (bucket.clone(), key.to_owned())).collect();
                    self.files(&files, format).await?;
                }
                None => {
                    let source = format!("S3://{bucket}");
                    let item = |object| Item { value: metadata(object), key: None, source: source.clone() };
                    let items = contents.iter().map(item).collect();
                    let page = ItemPage { position: self.position.to_value()?, skip: 0, items };
                    self.pages.send(page).await.map_err(|_| Stop::Enough)?;
                }
            }
            match answer.get("NextContinuationToken").and_then(Value::as_str) {
                Some(token) => self.position = Position { token: Some(token.to_owned()), ..Position::default() },
                None => return Ok(()),
            }
        }
    }

    /// The items of some files, from the position's on.
    async fn files(&mut self, files: &[(String, String)], format: &Format) -> Result<(), Stop> {
        while let Some((bucket, key)) = files.get(self.position.file) {
            let mut arguments = Map::from_iter([("Bucket".to_owned(), json!(bucket)), ("Key".to_owned(), json!(key))]);
            if let Some(owner) = &self.owner {
                arguments.insert("ExpectedBucketOwner".to_owned(), owner.clone());
            }
            self.file(arguments, format).await?;
            self.position.file += 1;
            self.position.etag = None;
        }
        Ok(())
    }

    /// The items of a file, parsed where that may take its time.
    async fn file(&mut self, arguments: Map<String, Value>, format: &Format) -> Result<(), Stop> {
        let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default();
        let source = format!("S3://{}/{}", text("Bucket"), text("Key"));
        let object = Object::open(self.aws, &self.region, arguments, self.position.etag.as_deref()).await?;
        self.position.etag.clone_from(&object.etag);
        let mut sender = Sender::new(self.pages.clone(), self.position.to_value()?);
        let format = format.clone();
        let parse = move || {
            let mut take = |value, key, bytes| sender.add(Item { value, key, source: source.clone() }, bytes);
            format.parse(Content::of(object)?, &mut take)?;
            if sender.send() { Ok(()) } else { Err(Stop::Enough) }
        };
        tokio::task::spawn_blocking(parse).await.unwrap_or_else(|_| Err(Stop::Failed(panicked())))
    }
}

impl Position {
    fn to_value(&self) -> Result<Value, Cause> {
        serde_json::to_value(self).map_err(|error| format!("The reader's position can't be kept: {error}."))
    }
}

/// Gathers the items of a file into pages.
struct Sender {
    pages: mpsc::Sender<ItemPage>,
    page: ItemPage,
    bytes: u64,
    /// Somebody still wants them.
    is_open: bool,
}

impl Sender {
    fn new(pages: mpsc::Sender<ItemPage>, position: Value) -> Sender {
        Sender { pages, page: ItemPage { position, ..ItemPage::default() }, bytes: 0, is_open: true }
    }

    fn add(&mut self, item: Item, bytes: u64) -> bool {
        self.page.items.push(item);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.page.items.len() >= PAGE || self.bytes >= PAGE_BYTES { self.send() } else { true }
    }

    /// Hands over what was gathered; whether more is wanted.
    fn send(&mut self) -> bool {
        if !self.page.items.is_empty() && self.is_open {
            let count = u64::try_from(self.page.items.len()).unwrap_or(u64::MAX);
            let skip = self.page.skip.saturating_add(count);
            let next = ItemPage { position: self.page.position.clone(), skip, items: Vec::new() };
            self.is_open = self.pages.blocking_send(std::mem::replace(&mut self.page, next)).is_ok();
            self.bytes = 0;
        }
        self.is_open
    }
}

fn panicked() -> Cause {
    "reading the items panicked; this is a bug: please report it".to_owned()
}

/// An object of a listing, as a Distributed Map shows it: the time as a number of seconds.
fn metadata(object: &Value) -> Value {
    let field = |name: &str| object.get(name).cloned().unwrap_or_default();
    let modified = field("LastModified");
    let seconds =
        modified.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).map(jiff::Timestamp::as_second);
    json!({
        "Etag": field("ETag"),
        "Key": field("Key"),
        "LastModified": seconds.map_or(modified, Value::from),
        "Size": field("Size"),
        "StorageClass": field("StorageClass"),
    })
}

async fn call(aws: &Aws, region: &str, action: &str, parameters: Value) -> Result<(Value, Bytes), CallError> {
    let call = Call {
        service: "s3".to_owned(),
        action: action.to_owned(),
        parameters,
        region: Some(region.to_owned()),
        role_arn: None,
        idempotency_token: None,
        attempts: ATTEMPTS,
        timeout_seconds: TIMEOUT_SECONDS,
        answer_bytes: None,
    };
    aws.call_for_body(call).await
}

fn cause_of(error: CallError) -> Cause {
    match error {
        CallError::Unknown { message } | CallError::Parameters { message, .. } => message,
        CallError::Service { cause, .. } | CallError::Client { cause, .. } | CallError::TooLong { cause } => cause,
    }
}

/// `getObject` of `arn:aws:states:::s3:getObject`.
fn action(resource: &str) -> &str {
    resource.rsplit_once(":s3:").map_or(resource, |(_, action)| action)
}

fn region(state_machine_arn: &str) -> Result<String, Cause> {
    let region = state_machine_arn.split(':').nth(3).filter(|region| !region.is_empty());
    region.map(str::to_owned).ok_or_else(|| format!("the state machine's ARN `{state_machine_arn}` names no Region"))
}
