//! Map.

mod distributed;

use std::sync::Arc;

use query::{Language, Template, jsonpath::Path};
use serde_json::{Map as Fields, Value};

pub use self::distributed::{Distributed, ItemBatcher, ItemReader, ResultWriter};
use super::Kind;
use crate::{
    Dynamic, Flow,
    parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, decimal, integer},
};

/// What only a Map has.
#[derive(Clone, Debug)]
pub struct Map {
    /// `ItemsPath` (JSONPath).
    pub items_path: Option<Path>,
    /// `Items` (JSONata).
    pub items: Option<Template>,
    /// `ItemSelector`; also the old `Parameters` of a Map.
    pub item_selector: Option<Template>,
    /// Which of the two it is in the text.
    pub selector_field: &'static str,
    /// `MaxConcurrency`, `MaxConcurrencyPath`; 0 is no limit.
    pub max_concurrency: Option<Dynamic>,
    /// `ItemProcessor` or the old `Iterator`.
    pub processor: Arc<Flow>,
    /// Which of the two it is in the text.
    pub processor_field: &'static str,
    /// `ProcessorConfig.Mode`.
    pub mode: ProcessorMode,
    /// `ToleratedFailureCount`, `ToleratedFailureCountPath` (Distributed).
    pub tolerated_failure_count: Option<Dynamic>,
    /// `ToleratedFailurePercentage`, `ToleratedFailurePercentagePath` (Distributed).
    pub tolerated_failure_percentage: Option<Dynamic>,
    /// `ItemReader`, `ItemBatcher`, `ResultWriter`, `Label` and `ProcessorConfig` as written (Distributed).
    pub distributed: Option<Value>,
    /// The same, parsed.
    pub run: Distributed,
}

/// Where a Map's iterations run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessorMode {
    /// In the execution itself.
    #[default]
    Inline,
    /// Each in a child execution.
    Distributed,
}

/// The fields of a Map.
pub(super) const FIELDS: Allowed = Allowed {
    both: &[
        "Type",
        "Comment",
        "QueryLanguage",
        "ItemProcessor",
        "Iterator",
        "ItemSelector",
        "MaxConcurrency",
        "ToleratedFailureCount",
        "ToleratedFailurePercentage",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "Label",
        "Retry",
        "Catch",
        "Assign",
        "Next",
        "End",
    ],
    jsonpath: &[
        "InputPath",
        "ItemsPath",
        "Parameters",
        "ResultSelector",
        "ResultPath",
        "OutputPath",
        "MaxConcurrencyPath",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath",
    ],
    jsonata: &["Items", "Output"],
};

/// What an inline Map has none of.
const DISTRIBUTED_ONLY: [&str; 8] = [
    "ItemReader",
    "ItemBatcher",
    "ResultWriter",
    "Label",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
];

/// The most items that a Distributed Map's reader may be told to read.
const MAX_ITEMS: u64 = 100_000_000;

const PROCESSOR: Allowed =
    Allowed { both: &["Comment", "StartAt", "States", "ProcessorConfig"], jsonpath: &[], jsonata: &[] };

const PROCESSOR_CONFIG: Allowed = Allowed { both: &["Mode", "ExecutionType"], jsonpath: &[], jsonata: &[] };

const ITEM_READER: Allowed =
    Allowed { both: &["Resource", "ReaderConfig"], jsonpath: &["Parameters"], jsonata: &["Arguments"] };

const READER_CONFIG: Allowed = Allowed {
    both: &[
        "InputType",
        "Transformation",
        "CSVHeaderLocation",
        "CSVHeaders",
        "CSVDelimiter",
        "MaxItems",
        "ItemsPointer",
        "ManifestType",
    ],
    jsonpath: &["MaxItemsPath"],
    jsonata: &[],
};

/// What the fields of a `ReaderConfig` can say.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>.
const READER_VALUES: [(&str, &[&str]); 5] = [
    ("InputType", &["CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"]),
    ("Transformation", &["NONE", "LOAD_AND_FLATTEN"]),
    ("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"]),
    ("CSVDelimiter", &["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"]),
    ("ManifestType", &["ATHENA_DATA", "S3_INVENTORY"]),
];

const ITEM_BATCHER: Allowed = Allowed {
    both: &["BatchInput", "MaxItemsPerBatch", "MaxInputBytesPerBatch"],
    jsonpath: &["MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"],
    jsonata: &[],
};

const RESULT_WRITER: Allowed =
    Allowed { both: &["Resource", "WriterConfig"], jsonpath: &["Parameters"], jsonata: &["Arguments"] };

/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html>.
const WRITER_CONFIG: Allowed = Allowed { both: &["Transformation", "OutputType"], jsonpath: &[], jsonata: &[] };

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    let whole = |value: &Value| integer(value, 0, u64::MAX).map(drop);
    parser.at_most_one(object, &["ItemSelector", "Parameters"]);
    let selector = if object.has("ItemSelector") { "ItemSelector" } else { "Parameters" };
    let item_selector = parser.template(object, selector);
    let items_path = parser.path(object, "ItemsPath");
    let items = parser.template(object, "Items");
    let max_concurrency = parser.dynamic(object, "MaxConcurrency", whole);
    let tolerated_failure_count = parser.dynamic(object, "ToleratedFailureCount", whole);
    let tolerated_failure_percentage = parser.dynamic(object, "ToleratedFailurePercentage", percentage);
    let mut run = parser.distributed_fields(object);
    let processor = parser.processor(object);
    if let Some((_, ProcessorMode::Inline)) = processor {
        parser.inline_fields(object);
    }
    let (processor, mode) = processor?;
    run.is_express = is_express(object);
    Some(Kind::Map(Box::new(Map {
        items_path,
        items,
        item_selector,
        selector_field: selector,
        max_concurrency,
        processor: Arc::new(processor?),
        processor_field: if object.has("Iterator") { "Iterator" } else { "ItemProcessor" },
        mode,
        tolerated_failure_count,
        tolerated_failure_percentage,
        distributed: distributed(object),
        run,
    })))
}

fn percentage(value: &Value) -> Result<(), String> {
    decimal(value, (0.0, "0"), (100.0, "100")).map(drop)
}

/// Whether the child executions are Express ones.
fn is_express(object: &Object<'_>) -> bool {
    let processor = object.get("ItemProcessor").or_else(|| object.get("Iterator"));
    let kind = processor.and_then(|processor| processor.get("ProcessorConfig")?.get("ExecutionType"));
    kind.is_some_and(|kind| kind == "EXPRESS")
}

/// What only a Distributed Map has, as written.
fn distributed(object: &Object<'_>) -> Option<Value> {
    let mut fields: Fields<String, Value> = ["ItemReader", "ItemBatcher", "ResultWriter", "Label"]
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), object.get(field)?.clone())))
        .collect();
    let config = object.get("ItemProcessor").and_then(|processor| processor.get("ProcessorConfig"));
    if let Some(config) = config.filter(|config| config.get("Mode").is_some_and(|mode| mode == "DISTRIBUTED")) {
        fields.insert("ProcessorConfig".to_owned(), config.clone());
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

impl Parser<'_> {
    /// `ItemProcessor`, or `Iterator` as it was called before.
    fn processor(&mut self, object: &Object<'_>) -> Option<(Option<Flow>, ProcessorMode)> {
        self.exactly_one(object, &["ItemProcessor", "Iterator"], "say by `ItemProcessor` what is done with each item");
        let field = if object.has("Iterator") { "Iterator" } else { "ItemProcessor" };
        let processor = self.object(object.get(field)?, &object.at(field), object.language, &PROCESSOR)?;
        let mode = match processor.get("ProcessorConfig") {
            Some(config) => self.processor_config(config, &processor),
            None => ProcessorMode::Inline,
        };
        Some((self.flow(&processor), mode))
    }

    fn processor_config(&mut self, value: &Value, processor: &Object<'_>) -> ProcessorMode {
        let pointer = processor.at("ProcessorConfig");
        let Some(config) = self.object(value, &pointer, processor.language, &PROCESSOR_CONFIG) else {
            return ProcessorMode::Inline;
        };
        let kind = self.one_of(&config, "ExecutionType", &["STANDARD", "EXPRESS"]);
        let mode = self.one_of(&config, "Mode", &["INLINE", "DISTRIBUTED"]);
        if mode != Some("DISTRIBUTED") {
            if mode == Some("INLINE") && config.has("ExecutionType") {
                let help = "set `Mode` to `DISTRIBUTED`, or leave it out: an inline Map runs in the execution itself";
                self.field_problem(
                    &config,
                    "ExecutionType",
                    "Field 'ExecutionType' is not supported",
                    Some(help.into()),
                );
            }
            return ProcessorMode::Inline;
        }
        if self.express {
            let message = "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines";
            self.problem(SCHEMA, config.at("Mode"), message, None);
        }
        if kind.is_none() {
            self.require(&config, &["ExecutionType"]);
        }
        ProcessorMode::Distributed
    }

    /// The fields of a Distributed Map.
    fn distributed_fields(&mut self, object: &Object<'_>) -> Distributed {
        let whole = |value: &Value| integer(value, 0, MAX_NUMBER).map(drop);
        let mut run = Distributed::default();
        if let Some(reader) = self.part(object, "ItemReader", &ITEM_READER) {
            self.require(&reader, &["Resource"]);
            self.reader_resource(&reader);
            run.reader = Some(ItemReader {
                resource: self.text(&reader, "Resource").unwrap_or_default(),
                arguments: self.template(&reader, payload(object.language)),
                ..ItemReader::default()
            });
            if let (Some(config), Some(run)) = (self.part(&reader, "ReaderConfig", &READER_CONFIG), &mut run.reader) {
                run.max_items = self.dynamic(&config, "MaxItems", |value| integer(value, 0, MAX_ITEMS).map(drop));
                run.config = reader.get("ReaderConfig").cloned();
                self.reader_config(&config);
                self.csv_headers(&config);
                self.no_parquet(&config);
            }
        }
        if let Some(batcher) = self.part(object, "ItemBatcher", &ITEM_BATCHER) {
            run.batcher = Some(ItemBatcher {
                input: self.template(&batcher, "BatchInput"),
                max_items: self.dynamic(&batcher, "MaxItemsPerBatch", whole),
                max_bytes: self.dynamic(&batcher, "MaxInputBytesPerBatch", whole),
            });
        }
        if let Some(writer) = self.part(object, "ResultWriter", &RESULT_WRITER) {
            self.writer_resource(&writer);
            let config = self.part(&writer, "WriterConfig", &WRITER_CONFIG);
            let mut one = |field: &str, values: &[&'static str]| {
                config.as_ref().and_then(|config| self.one_of(config, field, values)).map(str::to_owned)
            };
            let transformation = one("Transformation", &["NONE", "COMPACT", "FLATTEN"]);
            let output_type = one("OutputType", &["JSON", "JSONL"]);
            run.writer = Some(ResultWriter {
                resource: self.text(&writer, "Resource"),
                arguments: self.template(&writer, payload(object.language)),
                transformation,
                output_type,
            });
        }
        if let Some(label) = self.text(object, "Label") {
            self.label(&label, object.at("Label"));
            run.label = Some(label);
        }
        run
    }

    /// AWS reads Parquet files, and this program does not: where it runs, reading fails.
    fn no_parquet(&mut self, config: &Object<'_>) {
        if !self.is_as_aws() && config.get("InputType").is_some_and(|kind| kind == "PARQUET") {
            let help = "convert the file to CSV or JSONL, or run the state machine on AWS Step Functions";
            let message = "the InputType PARQUET is not read here";
            self.problem(SCHEMA, config.at("InputType"), message, Some(help.to_owned()));
        }
    }

    /// An inline Map does nothing with the fields of a distributed one. AWS takes them all the same.
    fn inline_fields(&mut self, object: &Object<'_>) {
        let help = "it belongs to a distributed Map: set `Mode` to `DISTRIBUTED` in `ItemProcessor.ProcessorConfig`";
        for field in object.keys().filter(|field| DISTRIBUTED_ONLY.contains(&field.as_str()) && object.has(field)) {
            let message = format!("an inline Map does nothing with `{field}`");
            self.warning("IGNORED_FIELD", &object.at(field), message, help);
        }
    }

    /// A reader reads an object or lists a bucket.
    fn reader_resource(&mut self, reader: &Object<'_>) {
        let Some(resource) = self.text(reader, "Resource") else { return };
        let known = [":states:::s3:getObject", ":states:::s3:listObjectsV2"];
        if !known.iter().any(|end| resource.starts_with("arn:") && resource.ends_with(end)) {
            let message = "The field 'Resource' does not match any of the allowed values";
            let help = "`arn:aws:states:::s3:getObject` or `arn:aws:states:::s3:listObjectsV2`";
            self.problem(SCHEMA, reader.at("Resource"), message, Some(help.to_owned()));
        }
    }

    /// Results are written as objects.
    fn writer_resource(&mut self, writer: &Object<'_>) {
        let Some(resource) = self.text(writer, "Resource") else { return };
        if !(resource.starts_with("arn:") && resource.ends_with(":states:::s3:putObject")) {
            let message = "The field 'Resource' does not match any of the allowed values";
            self.problem(SCHEMA, writer.at("Resource"), message, Some("`arn:aws:states:::s3:putObject`".to_owned()));
        }
    }

    /// What of a reader's configuration is out of a list.
    fn reader_config(&mut self, config: &Object<'_>) {
        for (field, values) in READER_VALUES {
            self.one_of(config, field, values);
        }
        match config.get("CSVHeaders") {
            Some(Value::Array(headers)) => {
                for (index, header) in headers.iter().enumerate().filter(|(_, header)| !header.is_string()) {
                    self.wrong_type(&format!("{}/{index}", config.at("CSVHeaders")), "[STRING]", header);
                }
            }
            Some(other) => self.wrong_type(&config.at("CSVHeaders"), "[ARRAY]", other),
            None => {}
        }
    }

    /// A CSV says where its headers are; JSON has none.
    fn csv_headers(&mut self, config: &Object<'_>) {
        match config.get("InputType").and_then(Value::as_str) {
            Some("CSV") if !config.has("CSVHeaderLocation") => {
                let message = "The field 'CSVHeaderLocation' is required";
                self.problem(SCHEMA, config.pointer.clone(), message, None);
            }
            Some("JSON") if config.has("CSVHeaderLocation") => {
                let message = "Field 'CSVHeaderLocation' is not supported";
                self.field_problem(config, "CSVHeaderLocation", message, None);
            }
            _ => {}
        }
        if config.get("CSVHeaderLocation").is_some_and(|location| location == "GIVEN") && !config.has("CSVHeaders") {
            self.require(config, &["CSVHeaders"]);
        }
    }

    fn part<'v>(&mut self, object: &Object<'v>, field: &str, allowed: &'static Allowed) -> Option<Object<'v>> {
        self.object(object.get(field)?, &object.at(field), object.language, allowed)
    }
}

fn payload(language: Language) -> &'static str {
    match language {
        Language::JsonPath => "Parameters",
        Language::Jsonata => "Arguments",
    }
}
