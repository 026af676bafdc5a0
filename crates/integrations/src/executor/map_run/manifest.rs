//! Manifests: files that name the files of the items.

use serde::Deserialize;

use super::{
    Cause, Config,
    csv::Csv,
    format::{self, Format},
};

/// What an S3 inventory's `manifest.json` says.
pub(super) struct Inventory {
    pub(super) bucket: String,
    pub(super) keys: Vec<String>,
    /// The files have no header: the manifest has it.
    pub(super) format: Format,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    destination_bucket: String,
    file_format: String,
    file_schema: String,
    files: Vec<WrittenFile>,
}

#[derive(Deserialize)]
struct WrittenFile {
    key: String,
}

/// Reads a `manifest.json`.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html>
pub(super) fn inventory(body: &[u8], config: Config<'_>) -> Result<Inventory, Cause> {
    let written: Written = serde_json::from_slice(body)
        .map_err(|error| format!("The file is no manifest of an S3 inventory: {error}."))?;
    if written.file_format != "CSV" {
        return Err(format!("The S3 inventory is in {}, and only CSV is read.", written.file_format));
    }
    let headers = written.file_schema.split(',').map(|column| column.trim().to_owned()).collect();
    let bucket = written.destination_bucket.rsplit(':').next().unwrap_or_default().to_owned();
    Ok(Inventory {
        bucket,
        keys: written.files.into_iter().map(|file| file.key).collect(),
        format: Format::Csv(Csv { headers: Some(headers), delimiter: format::delimiter(config)? }),
    })
}

/// The buckets and keys of a manifest that Athena's UNLOAD wrote: `s3://BUCKET/KEY`, one a line.
/// Source: <https://docs.aws.amazon.com/athena/latest/ug/unload.html>
pub(super) fn athena(body: &[u8]) -> Result<Vec<(String, String)>, Cause> {
    let text = std::str::from_utf8(body).map_err(|_| "The manifest is no text.".to_owned())?;
    let lines = text.lines().map(|line| line.trim().trim_matches('"')).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let place = line.strip_prefix("s3://").and_then(|place| place.split_once('/'));
            let (bucket, key) =
                place.ok_or_else(|| format!("The manifest names '{line}', which is no place in S3."))?;
            Ok((bucket.to_owned(), key.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn manifests_name_files() {
        let found = athena(b"s3://b/k/1\n\"s3://b/k/2\"\n").unwrap();
        assert_eq!(found, [("b".to_owned(), "k/1".to_owned()), ("b".to_owned(), "k/2".to_owned())]);
        assert!(athena(b"https://b/k").unwrap_err().contains("no place in S3"));
        let manifest = r#"{"destinationBucket": "arn:aws:s3:::b", "fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": [{"key": "f.gz"}]}"#;
        let inventory = inventory(manifest.as_bytes(), Config(&Value::Null)).unwrap();
        assert_eq!((inventory.bucket.as_str(), inventory.keys.as_slice()), ("b", &["f.gz".to_owned()][..]));
        let headers = Some(vec!["Bucket".to_owned(), "Key".to_owned()]);
        assert_eq!(inventory.format, Format::Csv(Csv { headers, delimiter: b',' }));
    }
}
