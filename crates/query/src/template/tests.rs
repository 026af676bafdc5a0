use serde_json::{Map, Value, json};

use crate::{Language, Moment, Scope, Template, TemplateExpression};

fn with_scope<T>(test: impl FnOnce(&Scope<'_>) -> T) -> T {
    let input = json!({"a": 1, "b": {"c": [1, 2]}});
    let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [3; 32] };
    let (context, variables) = (json!({"Execution": {"Name": "run"}}), Map::new());
    test(&Scope {
        root: &input,
        input: &input,
        result: None,
        error_output: None,
        context: &context,
        variables: &variables,
        moment: &moment,
    })
}

#[track_caller]
fn check(source: Value, language: Language, expected: Result<Value, &str>) {
    let template = Template::parse(&source, language).unwrap();
    assert_eq!(template.source(), &source);
    let answer = with_scope(|scope| template.evaluate(scope).map_err(|error| error.sentence("Field")));
    // As text, for the order of the fields.
    let text = |value: Value| value.to_string();
    assert_eq!(answer.map(text), expected.map(text).map_err(str::to_owned), "{source}");
}

#[test]
fn jsonpath() {
    let check = |source, expected| check(source, Language::JsonPath, expected);
    check(json!({"x": 1, "y": ["{% $a %}", {"z.$": "$.a"}]}), Ok(json!({"x": 1, "y": ["{% $a %}", {"z": 1}]})));
    check(
        json!({"c.$": "$.b.c[*]", "d.$": "States.ArrayLength($.b.c)", "s": 1}),
        Ok(json!({"s": 1, "c": [1, 2], "d": 2})),
    );
    check(json!({"n.$": "$$.Execution.Name"}), Ok(json!({"n": "run"})));
    check(json!({"a": {"b": [{"c.$": "$"}]}}), Ok(json!({"a": {"b": [{"c": {"a": 1, "b": {"c": [1, 2]}}}]}})));
    check(json!("$.a"), Ok(json!("$.a")));
    check(
        json!({"o": {"v.$": "$.no"}}),
        Err(
            r#"The JSONPath '$.no' specified for the field 'o/v.$' could not be found in the input '{"a":1,"b":{"c":[1,2]}}'"#,
        ),
    );
    check(
        json!({"v.$": "States.ArrayGetItem($.b.c, 9)"}),
        Err(
            "The function 'States.ArrayGetItem($.b.c, 9)' had the following error: the array has 2 elements, none at index 9",
        ),
    );
}

#[test]
fn fields_of_expressions_come_in_the_order_of_a_java_hash_map() {
    let source = json!({"zeta.$": "$.a", "beta": 0, "alpha.$": "$.a", "c.$": "$.a", "b.$": "$.a", "a": 0});
    check(source, Language::JsonPath, Ok(json!({"beta": 0, "a": 0, "zeta": 1, "b": 1, "c": 1, "alpha": 1})));
}

#[test]
fn jsonata() {
    let check = |source, expected| check(source, Language::Jsonata, expected);
    check(
        json!({"z": "{% $states.input.a %}", "a": ["{% $states.context.Execution.Name %}", 1], "m.$": "$.a"}),
        Ok(json!({"z": 1, "a": ["run", 1], "m.$": "$.a"})),
    );
    check(json!("{% $states.input.b.c %}"), Ok(json!([1, 2])));
    check(json!("not {% $x %}!"), Ok(json!("not {% $x %}!")));
    check(
        json!({"result": "{% $x %}"}),
        Err("The JSONata expression '$x' specified for the field 'Field/result' returned nothing (undefined)."),
    );
    check(
        json!(["{% $x %}"]),
        Err("The JSONata expression '$x' specified for the field 'Field[0]' returned nothing (undefined)."),
    );
    check(
        json!("{% $x %}"),
        Err("The JSONata expression '$x' specified for the field 'Field' returned nothing (undefined)."),
    );
}

#[test]
fn the_same_expression_at_two_places_differs() {
    let template = Template::parse(&json!({"a": "{% $uuid() %}", "b": "{% $uuid() %}"}), Language::Jsonata).unwrap();
    let of = |field: &str| with_scope(|scope| template.evaluate_at(scope, field)).unwrap();
    let output = of("Output");
    assert_ne!(output["a"], output["b"]);
    assert_eq!(output, of("Output"));
    assert_ne!(output["a"], of("Assign")["a"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let errors = |source: Value, language| {
        let errors = Template::parse(&source, language).unwrap_err();
        errors.into_iter().map(|error| (error.pointer, error.message, error.offset)).collect::<Vec<_>>()
    };
    let refusal = |key: &str| {
        format!("The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call")
    };
    assert_eq!(
        errors(json!({"x": [{"a/b.$": "$.c d"}], "y.$": 1, "z.$": "text"}), Language::JsonPath),
        [
            ("/x/0/a~1b.$".to_owned(), refusal("a/b.$"), Some(3)),
            ("/y.$".to_owned(), refusal("y.$"), None),
            ("/z.$".to_owned(), refusal("z.$"), Some(0)),
        ]
    );
    let wrong = errors(json!({"x": "{% 1 + %}", "y": "{% 1", "z": "1 %}"}), Language::Jsonata);
    let pointers: Vec<&str> = wrong.iter().map(|(pointer, ..)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/x", "/y", "/z"]);
}

#[test]
fn expressions_can_be_listed() {
    let template = Template::parse(&json!({"a.$": "$.x", "b": {"c.$": "States.UUID()"}}), Language::JsonPath).unwrap();
    let mut texts: Vec<&str> = template
        .expressions()
        .into_iter()
        .map(|expression| match expression {
            TemplateExpression::Path(path) => path.as_str(),
            TemplateExpression::Call(call) => call.as_str(),
            TemplateExpression::Jsonata(expression) => expression.as_str(),
        })
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, ["$.x", "States.UUID()"]);
}

#[test]
fn depth_is_limited() {
    let deep = (0..600).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    assert_eq!(Template::parse(&deep, Language::JsonPath).unwrap_err().len(), 1);
}
