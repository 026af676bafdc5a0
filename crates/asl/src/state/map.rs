//! Map.

mod distributed;

use std::sync::Arc;

use query::{Language, Template, jsonpath::Path};
use serde_json::{Map as Fields, Value};

pub use self::distributed::{Distributed, ItemBatcher, ItemReader, ResultWriter};
use super::Kind;
use crate::{
    Dynamic, Flow,
    parse::{Allowed, MAX_NUMBER, Object, Parser, SCHEMA, integer, shown},
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
    /// `MaxConcurrency`, `MaxConcurrencyPath`; 0 is no limit.
    pub max_concurrency: Option<Dynamic>,
    /// `ItemProcessor` or the old `Iterator`.
    pub processor: Arc<Flow>,
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

const ITEM_BATCHER: Allowed = Allowed {
    both: &["BatchInput", "MaxItemsPerBatch", "MaxInputBytesPerBatch"],
    jsonpath: &["MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"],
    jsonata: &[],
};

const RESULT_WRITER: Allowed =
    Allowed { both: &["Resource", "WriterConfig"], jsonpath: &["Parameters"], jsonata: &["Arguments"] };

pub(super) fn parse(parser: &mut Parser<'_>, object: &Object<'_>) -> Option<Kind> {
    let whole = |value: &Value| integer(value, 0, MAX_NUMBER).map(drop);
    parser.at_most_one(object, &["ItemSelector", "Parameters"]);
    let selector = if object.has("ItemSelector") { "ItemSelector" } else { "Parameters" };
    let item_selector = parser.template(object, selector);
    let items_path = parser.path(object, "ItemsPath");
    let items = parser.template(object, "Items");
    let max_concurrency = parser.dynamic(object, "MaxConcurrency", whole);
    let tolerated_failure_count = parser.dynamic(object, "ToleratedFailureCount", whole);
    let tolerated_failure_percentage = parser.dynamic(object, "ToleratedFailurePercentage", percentage);
    let mut run = parser.distributed_fields(object);
    let (processor, mode) = parser.processor(object)?;
    run.is_express = is_express(object);
    Some(Kind::Map(Box::new(Map {
        items_path,
        items,
        item_selector,
        max_concurrency,
        processor: Arc::new(processor?),
        mode,
        tolerated_failure_count,
        tolerated_failure_percentage,
        distributed: distributed(object),
        run,
    })))
}

fn percentage(value: &Value) -> Result<(), String> {
    match value.as_f64() {
        Some(number) if (0.0..=100.0).contains(&number) => Ok(()),
        _ => Err(format!("this must be a number from 0 to 100, and it is {}", shown(value))),
    }
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
        self.at_most_one(object, &["ItemProcessor", "Iterator"]);
        let field = if object.has("Iterator") { "Iterator" } else { "ItemProcessor" };
        self.require(object, &[field]);
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
        let distributed = self.one_of(&config, "Mode", &["INLINE", "DISTRIBUTED"]) == Some("DISTRIBUTED");
        if distributed && kind.is_none() {
            self.require(&config, &["ExecutionType"]);
        }
        if distributed { ProcessorMode::Distributed } else { ProcessorMode::Inline }
    }

    /// A string out of a list.
    fn one_of(&mut self, object: &Object<'_>, field: &str, values: &[&'static str]) -> Option<&'static str> {
        let text = self.text(object, field)?;
        let found = values.iter().copied().find(|value| *value == text);
        if found.is_none() {
            let message = format!("The field '{field}' should have one of these values: [{}]", values.join(", "));
            self.problem(SCHEMA, object.at(field), message, None);
        }
        found
    }

    /// The fields of a Distributed Map.
    fn distributed_fields(&mut self, object: &Object<'_>) -> Distributed {
        let whole = |value: &Value| integer(value, 0, MAX_NUMBER).map(drop);
        let mut run = Distributed::default();
        if let Some(reader) = self.part(object, "ItemReader", &ITEM_READER) {
            self.require(&reader, &["Resource"]);
            run.reader = Some(ItemReader {
                resource: self.text(&reader, "Resource").unwrap_or_default(),
                arguments: self.template(&reader, payload(object.language)),
                ..ItemReader::default()
            });
            if let (Some(config), Some(run)) = (self.part(&reader, "ReaderConfig", &READER_CONFIG), &mut run.reader) {
                run.max_items = self.dynamic(&config, "MaxItems", |value| integer(value, 0, MAX_ITEMS).map(drop));
                run.config = reader.get("ReaderConfig").cloned();
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
            let config = writer.get("WriterConfig");
            let text = |field: &str| config?.get(field)?.as_str().map(str::to_owned);
            run.writer = Some(ResultWriter {
                resource: self.text(&writer, "Resource"),
                arguments: self.template(&writer, payload(object.language)),
                transformation: text("Transformation"),
                output_type: text("OutputType"),
            });
        }
        if let Some(label) = self.text(object, "Label") {
            self.label(&label, object.at("Label"));
            run.label = Some(label);
        }
        run
    }

    /// AWS reads Parquet files, and this program does not.
    fn no_parquet(&mut self, config: &Object<'_>) {
        if config.get("InputType").is_some_and(|kind| kind == "PARQUET") {
            let help = "convert the file to CSV or JSONL, or run the state machine on AWS Step Functions";
            let message = "the InputType PARQUET is not read here";
            self.problem(SCHEMA, config.at("InputType"), message, Some(help.to_owned()));
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
