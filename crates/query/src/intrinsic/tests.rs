use serde_json::{Map, Value, json};

use super::Call;
use crate::{ErrorKind, Moment, Scope};

fn with_scope<T>(seed: u8, test: impl FnOnce(&Scope<'_>) -> T) -> T {
    let root = json!({
        "text": "Hello", "number": 3, "half": 1.5, "nothing": null,
        "list": [1, 2, 3], "object": {"a": 1, "b": ["x", null]}, "template": "{} and {}",
    });
    let moment = Moment { now: jiff::Timestamp::UNIX_EPOCH, seed: [seed; 32] };
    let (context, variables) = (json!({"State": {"Name": "S"}}), Map::new());
    test(&Scope {
        root: &root,
        input: &root,
        result: None,
        error_output: None,
        context: &context,
        variables: &variables,
        moment: &moment,
    })
}

fn evaluate(text: &str) -> Result<Value, String> {
    let call = Call::parse(text).map_err(|error| error.message)?;
    with_scope(1, |scope| call.evaluate(scope).map_err(|error| error.message))
}

#[track_caller]
fn check(text: &str, expected: Value) {
    assert_eq!(evaluate(text), Ok(expected), "{text}");
}

#[test]
fn texts() {
    check("States.Format('Hi {}!', $.text)", json!("Hi Hello!"));
    check("States.Format('{} {} {}', 1, 1.5, true)", json!("1 1.5 true"));
    check(
        "States.Format('{} {} {}', 0.0000001, 12345678.5, States.Array(1e20))",
        json!("1.0E-7 1.23456785E7 [1.0E20]"),
    );
    check("States.JsonToString(States.StringToJson('[1e-7,100,1.5e20]'))", json!("[1.0E-7,100,1.5E20]"));
    check("States.Format('{}|{}', $.object, $.nothing)", json!("{a=1, b=[x, null]}|null"));
    check(r"States.Format('\{{}\}', 'x')", json!("{x}"));
    check(r"States.Format('it\'s \\ {}', 1)", json!(r"it's \ 1"));
    check("States.Format($.template, 'a', 'b')", json!("a and b"));
    check("States.Format('{}', '{}')", json!("{}"));
    check("States.Format('none')", json!("none"));
    check("States.StringSplit('a,b;c,,', ',;')", json!(["a", "b", "c"]));
    check("States.StringSplit('', ',')", json!([]));
}

#[test]
fn arrays() {
    check("States.Array()", json!([]));
    check("States.Array('a', 1, null, $.list, States.Array(true))", json!(["a", 1, null, [1, 2, 3], [true]]));
    check("States.ArrayPartition($.list, 2)", json!([[1, 2], [3]]));
    check("States.ArrayContains($.list, 2)", json!(true));
    check("States.ArrayContains($.list, '2')", json!(false));
    check("States.ArrayContains($.list, 2.0)", json!(true));
    check("States.ArrayRange(1, 9, 4)", json!([1, 5, 9]));
    check("States.ArrayRange(3, 0, -2)", json!([3, 1]));
    check("States.ArrayRange(3, 0, 1)", json!([]));
    check("States.ArrayGetItem($.list, 1)", json!(2));
    check("States.ArrayLength($.list)", json!(3));
    check("States.ArrayLength($.missing[*])", json!(0));
    check("States.ArrayUnique(States.Array(1, 1.0, '1', $.list, $.list))", json!([1, "1", [1, 2, 3]]));
}

#[test]
fn json_and_encodings() {
    check(r#"States.StringToJson('{"a": [1, -0]}')"#, json!({"a": [1, 0]}));
    check("States.StringToJson(' ')", Value::Null);
    check("States.JsonToString($.object)", json!(r#"{"a":1,"b":["x",null]}"#));
    check("States.JsonMerge($.object, States.StringToJson('{\"a\": 2}'), false)", json!({"a": 2, "b": ["x", null]}));
    check("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU="));
    check("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", json!("Data to encode"));
    check("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e"));
    check("States.Hash('abc', 'SHA-1')", json!("a9993e364706816aba3e25717850c26c9cd0d89d"));
}

#[test]
fn numbers() {
    for (one, other, sum) in
        [("1", "2", 3), ("1.5", "1.51", 4), ("-1.5", "0", -1), ("0.5", "0", 1), ("$.number", "-1", 2)]
    {
        check(&format!("States.MathAdd({one}, {other})"), json!(sum));
    }
    for _ in 0..100 {
        let drawn = evaluate("States.MathRandom(1, 3)").unwrap();
        assert!(drawn == 1 || drawn == 2, "{drawn}");
    }
}

#[test]
fn randomness_is_of_the_moment_and_the_place() {
    let of = |text: &str, seed, place: &str| {
        with_scope(seed, |scope| Call::parse(text).unwrap().evaluate_at(scope, place)).unwrap()
    };
    let uuid = of("States.UUID()", 1, "a");
    assert_eq!(uuid, of("States.UUID()", 1, "a"));
    assert_ne!(uuid, of("States.UUID()", 1, "b"));
    assert_ne!(uuid, of("States.UUID()", 2, "a"));
    let text = uuid.as_str().unwrap();
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
    assert_eq!(&text[14..15], "4");
    assert!("89ab".contains(&text[19..20]), "{text}");
    let two = of("States.Array(States.UUID(), States.UUID())", 1, "a");
    assert_ne!(two[0], two[1]);
    let seeded = "States.MathRandom(0, 1000000, 42)";
    assert_eq!(of(seeded, 1, "a"), of(seeded, 2, "b"));
}

#[test]
fn refusals() {
    for (text, end) in [
        ("States.ArrayGetItem($.list, 9)", "the array has 3 elements, none at index 9"),
        ("States.ArrayLength($.text)", "it takes an array, but was given (string)"),
        ("States.ArrayRange(0, 5000, 1)", "the array would have more than 1000 elements"),
        (
            "States.ArrayRange(0, 1, 0)",
            "it takes a first and a last number and a step other than 0, but was given (number, number, number)",
        ),
        (
            "States.ArrayPartition($.list, 0)",
            "it takes an array and a size of at least 1, but was given (array, number)",
        ),
        (
            "States.JsonMerge($.object, $.object, true)",
            "deep merging is not supported: the third argument has to be false",
        ),
        ("States.Hash('a', 'CRC')", "there is no algorithm 'CRC', only MD5, SHA-1, SHA-256, SHA-384, SHA-512"),
        ("States.Format('{} {}', 1)", "the template has more {} than there are values"),
        ("States.Format('{}', 1, 2)", "there are more values than the template has {}"),
        ("States.Base64Decode('?')", "the text is not Base64: Invalid symbol 63, offset 0."),
        (
            "States.MathRandom(2, 2)",
            "it takes a start, a larger end and perhaps a seed, but was given (number, number)",
        ),
        ("States.MathAdd(9223372036854775807, 1)", "the sum is too large"),
        ("States.UUID(1)", "it takes no arguments, but was given (number)"),
    ] {
        assert_eq!(evaluate(text), Err(format!("The function '{text}' had the following error: {end}")), "{text}");
    }
    let long = format!("States.Base64Encode('{}')", "a".repeat(10_001));
    assert!(evaluate(&long).unwrap_err().ends_with("the text is longer than 10000 characters"));
    let missing = Call::parse("States.Format('{}', $.no)").unwrap();
    let error = with_scope(1, |scope| missing.evaluate(scope)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Path);
    assert!(
        error.message.contains("The JsonPath argument for the field '$.no' could not be found in the input '{"),
        "{error}"
    );
}

#[test]
fn what_is_no_call_is_refused_with_its_place() {
    for (text, message, offset) in [
        ("", "there is no intrinsic function ''", 0),
        ("States.No()", "there is no intrinsic function 'States.No'", 0),
        ("States.Array", "expected '(' after States.Array", 12),
        ("States.Array(1", "expected ',' or ')' after an argument of States.Array", 14),
        ("States.Array(1,)", "expected a path, a call, a text in single quotes, a number, true, false or null", 15),
        ("States.Array('a", "a text is not closed by a single quote", 14),
        (r#"States.Array('a\"')"#, r"a backslash stands before none of ' { } \", 15),
        (
            "States.Array($.a b)",
            "Use bracket notion ['my prop'] if your property contains blank characters. position: 2",
            16,
        ),
        ("States.Array() x", "unexpected 'x' after the call", 15),
    ] {
        let error = Call::parse(text).unwrap_err();
        assert_eq!((error.message.as_str(), error.offset), (message, Some(offset)), "{text}");
    }
    let deep = format!("{}1{}", "States.Array(".repeat(11), ")".repeat(11));
    assert!(Call::parse(&deep).is_err());
}

#[test]
fn paths_of_nested_calls_are_known() {
    let call = Call::parse("States.Format('{}{}', $.a[0, 1], States.MathAdd($$.b, $c))").unwrap();
    let paths: Vec<&str> = call.paths().into_iter().map(|path| path.as_str()).collect();
    assert_eq!(paths, ["$.a[0, 1]", "$$.b", "$c"]);
}

proptest::proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,40}") {
        let _ = Call::parse(&text);
    }

    #[test]
    fn neither_does_what_looks_like_a_call(text in r#"States\.(Format|Array|MathAdd|StringSplit)\([$.a'\\{}(), 0-9-]{0,20}\)?"#) {
        if let Ok(call) = Call::parse(&text) {
            let _ = with_scope(1, |scope| call.evaluate(scope));
        }
    }
}
