//! The names of the functions that an expression can call without binding them itself.

/// JSONata's own. `$eval` is off in Step Functions, and none of them.
///
/// Source: <https://docs.jsonata.org/string-functions> and the pages beside it.
const OF_THE_LANGUAGE: [&str; 63] = [
    "abs",
    "append",
    "assert",
    "average",
    "base64decode",
    "base64encode",
    "boolean",
    "ceil",
    "contains",
    "count",
    "decodeUrl",
    "decodeUrlComponent",
    "distinct",
    "each",
    "encodeUrl",
    "encodeUrlComponent",
    "error",
    "exists",
    "filter",
    "floor",
    "formatBase",
    "formatInteger",
    "formatNumber",
    "fromMillis",
    "join",
    "keys",
    "length",
    "lookup",
    "lowercase",
    "map",
    "match",
    "max",
    "merge",
    "millis",
    "min",
    "not",
    "now",
    "number",
    "pad",
    "parseInteger",
    "power",
    "random",
    "reduce",
    "replace",
    "reverse",
    "round",
    "shuffle",
    "sift",
    "single",
    "sort",
    "split",
    "spread",
    "sqrt",
    "string",
    "substring",
    "substringAfter",
    "substringBefore",
    "sum",
    "toMillis",
    "trim",
    "type",
    "uppercase",
    "zip",
];

/// What Step Functions adds.
///
/// Source: <https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html>.
const OF_STEP_FUNCTIONS: [&str; 5] = ["hash", "parse", "partition", "range", "uuid"];

/// Whether `$name` is a function where nothing else is bound to the name.
pub fn is_function(name: &str) -> bool {
    OF_THE_LANGUAGE.contains(&name) || OF_STEP_FUNCTIONS.contains(&name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::{Moment, Scope, jsonata::Expression};

    #[test]
    fn every_name_is_that_of_a_function() {
        let (empty, variables) = (json!({}), Map::new());
        let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [0; 32] };
        let scope = Scope {
            root: &empty,
            input: &empty,
            result: None,
            error_output: None,
            context: &empty,
            variables: &variables,
            moment: &moment,
        };
        let kind = |name: &str| Expression::parse(&format!("$type(${name})")).unwrap().evaluate(&scope);
        for name in OF_THE_LANGUAGE.iter().chain(&OF_STEP_FUNCTIONS) {
            assert!(is_function(name));
            assert_eq!(kind(name).ok(), Some(json!("function")), "{name}");
        }
        assert!(!is_function("bucket") && kind("bucket").is_err());
    }
}
