//! What a map run reads from S3 and writes to it.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>,
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>

mod csv;
mod format;
mod manifest;
mod unpack;

use aws::{Aws, Call, CallError};
use bytes::Bytes;
use engine::ports::{ItemsToRead, ObjectToPut};
use execution::map_run::Item;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use self::format::Format;

/// Attempts of a call, and seconds for each.
const ATTEMPTS: u32 = 4;
const TIMEOUT_SECONDS: u64 = 300;
/// Items handed over at once.
const PAGE: usize = 256;

/// Why items were not read: the cause of `States.ItemReaderFailed`.
type Cause = String;

/// Reads the items, page by page.
pub(super) async fn read_items(aws: &Aws, items: ItemsToRead, pages: mpsc::Sender<Vec<Item>>) -> Result<(), Cause> {
    let config = Config(&items.reading.config);
    if let Some("PARQUET") = config.text("InputType") {
        return Err("The InputType PARQUET is not read here: convert the file to CSV or JSONL.".to_owned());
    }
    let reader = Reader { aws, region: region(&items.state_machine_arn)?, config, pages };
    let arguments = items.reading.arguments.as_object().cloned().unwrap_or_default();
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
    Format::of(config)?.parse(data.as_bytes(), &mut |item, _| {
        items.push(item);
        true
    })?;
    Ok(Value::Array(items).to_string())
}

/// Writes an object of a run's results.
pub(super) async fn put_object(aws: &Aws, object: ObjectToPut) -> Result<(), String> {
    let parameters =
        json!({"Bucket": object.bucket, "Key": object.key, "Body": object.body, "ContentType": "application/json"});
    call(aws, region(&object.state_machine_arn)?, "putObject", parameters).await.map(drop)
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

struct Reader<'a> {
    aws: &'a Aws,
    region: String,
    config: Config<'a>,
    pages: mpsc::Sender<Vec<Item>>,
}

impl Reader<'_> {
    /// `getObject`: a file of items, or a manifest of such files.
    async fn object(&self, arguments: Map<String, Value>) -> Result<(), Stop> {
        let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (bucket, key) = (text("Bucket"), text("Key"));
        let body = self.get(Value::Object(arguments)).await?;
        match (self.config.text("ManifestType"), self.config.text("InputType")) {
            (Some("ATHENA_DATA"), _) => {
                let format = Format::of(self.config)?;
                for (bucket, key) in manifest::athena(&unpack::unpack(&body)?)? {
                    self.file(&bucket, &key, &format).await?;
                }
                Ok(())
            }
            (Some("S3_INVENTORY"), _) | (None, Some("MANIFEST")) => {
                let inventory = manifest::inventory(&unpack::unpack(&body)?, self.config)?;
                for key in &inventory.keys {
                    self.file(&inventory.bucket, key, &inventory.format).await?;
                }
                Ok(())
            }
            (Some(other), _) => Err(Stop::Failed(format!("The ManifestType '{other}' is not known."))),
            (None, _) => self.items(body, &bucket, &key, &Format::of(self.config)?).await,
        }
    }

    /// `listObjectsV2`: what is known of each object, or the items in all of them.
    async fn listing(&self, mut arguments: Map<String, Value>) -> Result<(), Stop> {
        let bucket = arguments.get("Bucket").and_then(Value::as_str).unwrap_or_default().to_owned();
        let flattened = match self.config.text("Transformation") {
            Some("LOAD_AND_FLATTEN") => Some(Format::of(self.config)?),
            _ => None,
        };
        loop {
            let (answer, _) =
                call(self.aws, self.region.clone(), "listObjectsV2", Value::Object(arguments.clone())).await?;
            let contents = answer.get("Contents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            match &flattened {
                Some(format) => {
                    let keys = contents.iter().filter_map(|object| object.get("Key")?.as_str());
                    // A key that ends in a slash stands for a folder, and holds nothing.
                    for key in keys.filter(|key| !key.ends_with('/')) {
                        self.file(&bucket, key, format).await?;
                    }
                }
                None => {
                    let source = format!("S3://{bucket}");
                    let item = |object| Item { value: metadata(object), key: None, source: source.clone() };
                    self.send(contents.iter().map(item).collect()).await?;
                }
            }
            match answer.get("NextContinuationToken").filter(|token| token.is_string()) {
                Some(token) => _ = arguments.insert("ContinuationToken".to_owned(), token.clone()),
                None => return Ok(()),
            }
        }
    }

    async fn file(&self, bucket: &str, key: &str, format: &Format) -> Result<(), Stop> {
        let body = self.get(json!({"Bucket": bucket, "Key": key})).await?;
        self.items(body, bucket, key, format).await
    }

    async fn get(&self, arguments: Value) -> Result<Bytes, Stop> {
        Ok(call(self.aws, self.region.clone(), "getObject", arguments).await?.1)
    }

    /// The items of a file, parsed where that may take its time.
    async fn items(&self, body: Bytes, bucket: &str, key: &str, format: &Format) -> Result<(), Stop> {
        let source = format!("S3://{bucket}/{key}");
        let (format, pages) = (format.clone(), self.pages.clone());
        let parse = move || {
            let body = unpack::unpack(&body)?;
            let mut page = Vec::new();
            let mut enough = false;
            format.parse(&body, &mut |value, key| {
                page.push(Item { value, key, source: source.clone() });
                if page.len() >= PAGE {
                    enough = pages.blocking_send(std::mem::take(&mut page)).is_err();
                }
                !enough
            })?;
            enough |= !page.is_empty() && pages.blocking_send(page).is_err();
            if enough { Err(Stop::Enough) } else { Ok(()) }
        };
        tokio::task::spawn_blocking(parse).await.unwrap_or_else(|_| {
            Err(Stop::Failed("reading the items panicked; this is a bug: please report it".to_owned()))
        })
    }

    async fn send(&self, items: Vec<Item>) -> Result<(), Stop> {
        self.pages.send(items).await.map_err(|_| Stop::Enough)
    }
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

async fn call(aws: &Aws, region: String, action: &str, parameters: Value) -> Result<(Value, Bytes), Cause> {
    let call = Call {
        service: "s3".to_owned(),
        action: action.to_owned(),
        parameters,
        region: Some(region),
        role_arn: None,
        idempotency_token: None,
        attempts: ATTEMPTS,
        timeout_seconds: TIMEOUT_SECONDS,
        answer_bytes: None,
    };
    aws.call_for_body(call).await.map_err(|error| match error {
        CallError::Unknown { message } | CallError::Parameters { message, .. } => message,
        CallError::Service { cause, .. } | CallError::Client { cause, .. } | CallError::TooLong { cause } => cause,
    })
}

/// `getObject` of `arn:aws:states:::s3:getObject`.
fn action(resource: &str) -> &str {
    resource.rsplit_once(":s3:").map_or(resource, |(_, action)| action)
}

fn region(state_machine_arn: &str) -> Result<String, Cause> {
    let region = state_machine_arn.split(':').nth(3).filter(|region| !region.is_empty());
    region.map(str::to_owned).ok_or_else(|| format!("the state machine's ARN `{state_machine_arn}` names no Region"))
}
