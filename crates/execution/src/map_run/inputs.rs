//! From items to the inputs of child executions: `MaxItems`, `ItemSelector`, `ItemBatcher`.

use query::{Language, Moment, Scope, Template, java};
use serde_json::{Map, Value, json};

use super::{MapRunFailure, MapRunSpecification, Surroundings};
use crate::{failure::Failure, json, limits::Limits, random};

/// An item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `Map.Item.Value`.
    pub value: Value,
    /// `Map.Item.Key`, where the items are the fields of an object.
    pub key: Option<String>,
    /// `Map.Item.Source`: `STATE_DATA`, `S3://BUCKET`, `S3://BUCKET/KEY`.
    pub source: String,
}

/// The input of a child execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildInput {
    /// Its text.
    pub text: String,
    /// How many items are in it.
    pub items: u64,
}

/// Makes inputs of items, one after another.
#[derive(Debug)]
pub struct Inputs<'run> {
    run: &'run MapRunSpecification,
    selector: Option<(&'run Template, Language, &'run Surroundings)>,
    context: Value,
    /// Items so far.
    count: u64,
    /// Of the batch that is being filled: the texts of its items, and their bytes.
    batch: Vec<String>,
    batch_bytes: usize,
    batch_input: Option<String>,
}

impl<'run> Inputs<'run> {
    /// The inputs of a run, from its `count`-th item on; `selector` is the Map's `ItemSelector` and its language.
    pub fn new(
        run: &'run MapRunSpecification,
        selector: Option<(&'run Template, Language)>,
        count: u64,
    ) -> Inputs<'run> {
        let selector = selector
            .zip(run.surroundings.as_ref())
            .map(|((template, language), surroundings)| (template, language, surroundings));
        let input = run.batching.as_ref().and_then(|batching| batching.input.as_ref());
        Inputs {
            run,
            selector,
            context: selector.map_or(Value::Null, |(.., surroundings)| surroundings.context.clone()),
            count,
            batch: Vec::new(),
            batch_bytes: 0,
            batch_input: input.map(java::json),
        }
    }

    /// Takes the next item; the inputs that are ready then.
    pub fn push(&mut self, item: Item) -> Result<Option<ChildInput>, MapRunFailure> {
        let text = java::json(&self.select(item)?);
        self.count = self.count.saturating_add(1);
        let Some(batching) = &self.run.batching else { return self.whole(text, 1).map(Some) };
        let limit = batching.max_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        let limit = limit.min(self.run.quotas.payload_bytes);
        // The brackets and commas of the batch count as well.
        let mut ready = if !self.batch.is_empty() && self.bytes_with(&text) > limit { self.finish()? } else { None };
        self.batch_bytes = self.batch_bytes.saturating_add(text.len() + 1);
        self.batch.push(text);
        let is_full =
            batching.max_items.is_some_and(|most| u64::try_from(self.batch.len()).is_ok_and(|len| len >= most));
        // Where one was ready, this is the first item of the next, and another one fits: else the one before had been full.
        if ready.is_none() && is_full {
            ready = self.finish()?;
        }
        Ok(ready)
    }

    /// The input of what is left.
    pub fn finish(&mut self) -> Result<Option<ChildInput>, MapRunFailure> {
        if self.batch.is_empty() {
            return Ok(None);
        }
        let items = u64::try_from(self.batch.len()).unwrap_or(u64::MAX);
        let texts = std::mem::take(&mut self.batch).join(",");
        self.batch_bytes = 0;
        let before = self.batch_input.as_ref().map(|input| format!("\"BatchInput\":{input},")).unwrap_or_default();
        self.whole(format!("{{{before}\"Items\":[{texts}]}}"), items).map(Some)
    }

    fn bytes_with(&self, text: &str) -> usize {
        let input = self.batch_input.as_ref().map_or(0, |input| input.len() + r#""BatchInput":,"#.len());
        self.batch_bytes + text.len() + input + r#"{"Items":[]}"#.len()
    }

    fn whole(&self, text: String, items: u64) -> Result<ChildInput, MapRunFailure> {
        if text.len() > self.run.quotas.payload_bytes || json::depth(&text) > Limits::AWS.depth {
            return Err(MapRunFailure::data_limit(&self.run.state_name));
        }
        Ok(ChildInput { text, items })
    }

    fn select(&mut self, item: Item) -> Result<Value, MapRunFailure> {
        let Some((template, language, surroundings)) = self.selector else { return Ok(item.value) };
        let Item { value, key, source } = item;
        let mut fields = Map::new();
        fields.insert("Index".to_owned(), json!(self.count));
        fields.insert("Value".to_owned(), value);
        if let Some(key) = key {
            fields.insert("Key".to_owned(), Value::String(key));
        }
        fields.insert("Source".to_owned(), Value::String(source));
        if let Some(context) = self.context.as_object_mut() {
            context.insert("Map".to_owned(), json!({"Item": fields}));
        }
        let moment = random::evaluation(&Moment { now: surroundings.now, seed: surroundings.seed }, self.count);
        let input = surroundings.input.value();
        let (root, field) = match language {
            Language::JsonPath => (input, ""),
            Language::Jsonata => (&Value::Null, "ItemSelector"),
        };
        let scope = Scope {
            root,
            input,
            result: None,
            error_output: None,
            context: &self.context,
            variables: &surroundings.variables,
            moment: &moment,
        };
        template.evaluate(&scope).map_err(|error| {
            let failure = Failure::of_query(error, field).placed(&self.run.state_name, self.run.entered_id);
            MapRunFailure { error: failure.error, cause: failure.cause }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Json, map_run::Batching};

    fn item(value: Value) -> Item {
        Item { value, key: Some("k".to_owned()), source: "S3://bucket/key".to_owned() }
    }

    fn inputs(
        run: &MapRunSpecification,
        selector: Option<&Value>,
        items: &[Value],
    ) -> Result<Vec<ChildInput>, MapRunFailure> {
        let template = selector.map(|selector| Template::parse(selector, Language::JsonPath).unwrap());
        let mut inputs = Inputs::new(run, template.as_ref().map(|template| (template, Language::JsonPath)), 0);
        let mut made = Vec::new();
        for value in items {
            made.extend(inputs.push(item(value.clone()))?);
        }
        made.extend(inputs.finish()?);
        Ok(made)
    }

    #[test]
    fn items_are_batched() {
        let check = |max_items, max_bytes, input: Option<Value>, expected: &[(&str, u64)]| {
            let batching = Some(Batching { max_items, max_bytes, input });
            let run = MapRunSpecification { batching, ..MapRunSpecification::default() };
            let made = inputs(&run, None, &[json!(1), json!(2), json!(3)]).unwrap();
            let made: Vec<(&str, u64)> = made.iter().map(|made| (made.text.as_str(), made.items)).collect();
            assert_eq!(made, expected);
        };
        check(Some(2), None, None, &[(r#"{"Items":[1,2]}"#, 2), (r#"{"Items":[3]}"#, 1)]);
        check(Some(9), None, Some(json!({"a": 1})), &[(r#"{"BatchInput":{"a":1},"Items":[1,2,3]}"#, 3)]);
        check(None, Some(15), None, &[(r#"{"Items":[1,2]}"#, 2), (r#"{"Items":[3]}"#, 1)]);
        check(None, Some(14), None, &[(r#"{"Items":[1]}"#, 1), (r#"{"Items":[2]}"#, 1), (r#"{"Items":[3]}"#, 1)]);
        check(None, Some(1), None, &[(r#"{"Items":[1]}"#, 1), (r#"{"Items":[2]}"#, 1), (r#"{"Items":[3]}"#, 1)]);
    }

    #[test]
    fn a_selector_sees_the_item_and_the_state() {
        let surroundings = Surroundings {
            input: Json::new(json!({"a": "in"})),
            context: json!({"State": {"Name": "M"}}),
            variables: Map::new(),
            now: jiff::Timestamp::UNIX_EPOCH,
            seed: [0; 32],
        };
        let run = MapRunSpecification {
            state_name: "M".to_owned(),
            surroundings: Some(surroundings),
            ..MapRunSpecification::default()
        };
        let selector = json!({"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value.x", "k.$": "$$.Map.Item.Key",
                              "s.$": "$$.Map.Item.Source", "a.$": "$.a", "n.$": "$$.State.Name"});
        let made = inputs(&run, Some(&selector), &[json!({"x": 7}), json!({"x": 8})]).unwrap();
        let last: Value = serde_json::from_str(&made[1].text).unwrap();
        assert_eq!(last, json!({"i": 1, "v": 8, "k": "k", "s": "S3://bucket/key", "a": "in", "n": "M"}));
        let failure = inputs(&run, Some(&selector), &[json!({})]).unwrap_err();
        assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    }

    #[test]
    fn what_is_too_large_for_an_input_fails_the_run() {
        let run = MapRunSpecification::default();
        let large = Value::String("x".repeat(Limits::AWS.payload_bytes));
        let check = |run: &MapRunSpecification, item: &Value, fails: bool| {
            let made = inputs(run, None, std::slice::from_ref(item));
            let expected = fails.then_some("States.DataLimitExceeded");
            assert_eq!(made.err().and_then(|failure| failure.error).as_deref(), expected);
        };
        check(&run, &large, true);
        let quotas = crate::Quotas { payload_bytes: 1 << 20, ..crate::Quotas::AWS };
        check(&MapRunSpecification { quotas, ..MapRunSpecification::default() }, &large, false);
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        check(&run, &nested(Limits::AWS.depth), false);
        check(&run, &nested(Limits::AWS.depth + 1), true);
    }
}
