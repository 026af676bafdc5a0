//! What only a Map in Mode DISTRIBUTED has.
//!
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html>

use query::Template;
use serde_json::Value;

use crate::Dynamic;

/// How the child executions of a Distributed Map get their inputs, and where their results go.
#[derive(Clone, Debug, Default)]
pub struct Distributed {
    /// `Label`: part of the ARNs of its runs.
    pub label: Option<String>,
    /// `ProcessorConfig.ExecutionType` is EXPRESS.
    pub is_express: bool,
    /// `ItemReader`.
    pub reader: Option<ItemReader>,
    /// `ItemBatcher`.
    pub batcher: Option<ItemBatcher>,
    /// `ResultWriter`.
    pub writer: Option<ResultWriter>,
}

/// Where the items are.
#[derive(Clone, Debug, Default)]
pub struct ItemReader {
    /// `arn:aws:states:::s3:getObject`, `arn:aws:states:::s3:listObjectsV2`.
    pub resource: String,
    /// `Parameters` or `Arguments`: those of the call.
    pub arguments: Option<Template>,
    /// `ReaderConfig`, as written.
    pub config: Option<Value>,
    /// `MaxItems`, `MaxItemsPath`; 0 is no limit.
    pub max_items: Option<Dynamic>,
}

/// How items are put together.
#[derive(Clone, Debug, Default)]
pub struct ItemBatcher {
    /// `BatchInput`: what every batch gets beside its items.
    pub input: Option<Template>,
    /// `MaxItemsPerBatch`, `MaxItemsPerBatchPath`.
    pub max_items: Option<Dynamic>,
    /// `MaxInputBytesPerBatch`, `MaxInputBytesPerBatchPath`.
    pub max_bytes: Option<Dynamic>,
}

/// What becomes of the results.
#[derive(Clone, Debug, Default)]
pub struct ResultWriter {
    /// `arn:aws:states:::s3:putObject`; without it, nothing is exported.
    pub resource: Option<String>,
    /// `Parameters` or `Arguments`: `Bucket` and `Prefix`.
    pub arguments: Option<Template>,
    /// `WriterConfig.Transformation`.
    pub transformation: Option<String>,
    /// `WriterConfig.OutputType`.
    pub output_type: Option<String>,
}
