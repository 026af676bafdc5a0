use serde_json::{Map, Value, json};

use super::{Expression, delimited};
use crate::{Moment, Scope};

fn with_scope<T>(seed: u8, test: impl FnOnce(&Scope<'_>) -> T) -> T {
    let input = json!({"list": [1, 2, 3], "one": [1], "name": "bucket", "big": 123_456_789_012_i64, "deep": {"a": {"b": null}}});
    let moment = Moment { now: "2026-03-04T05:06:07.089Z".parse().unwrap(), seed: [seed; 32] };
    let (context, result) = (json!({"State": {"Name": "S"}}), json!({"Payload": {"ok": true}}));
    let variables: Map<String, Value> =
        [("count".to_owned(), json!(2)), ("empty".to_owned(), Value::Null)].into_iter().collect();
    test(&Scope {
        root: &input,
        input: &input,
        result: Some(&result),
        error_output: None,
        context: &context,
        variables: &variables,
        moment: &moment,
    })
}

fn evaluate(text: &str) -> Result<Value, String> {
    let expression = Expression::parse(text).map_err(|error| error.message)?;
    with_scope(1, |scope| expression.evaluate(scope).map_err(|error| error.message))
}

#[track_caller]
fn check(text: &str, expected: Value) {
    // As text: 1 and 1.0 have to be told apart.
    assert_eq!(evaluate(text).map(|value| value.to_string()), Ok(expected.to_string()), "{text}");
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    assert_eq!(evaluate(text), Err(expected.to_owned()), "{text}");
}

#[test]
fn what_an_expression_sees() {
    check("$states.input.name", json!("bucket"));
    check("$states.result.Payload.ok", json!(true));
    check("$states.context.State.Name", json!("S"));
    check("$count + 1", json!(3));
    check("$empty", Value::Null);
    check("$states.input.list[$ > 1]", json!([2, 3]));
    check("$states.input.one", json!([1]));
    check("{'b': 1, 'a': $states.input.deep}", json!({"b": 1, "a": {"a": {"b": null}}}));
    check_error("$states.errorOutput", "returned nothing (undefined).");
    check_error("$", "returned nothing (undefined).");
    check_error("$nowhere", "returned nothing (undefined).");
}

#[test]
fn numbers_stay_whole() {
    check("$states.input.big", json!(123_456_789_012_i64));
    check("1.0", json!(1));
    check("3 / 2", json!(1.5));
    check("0 - 0", json!(0));
    check("$sum($states.input.list)", json!(6));
}

#[test]
fn functions_of_step_functions() {
    check("$partition($states.input.list, 2)", json!([[1, 2], [3]]));
    check("$partition([0], 4)", json!([[0]]));
    check("$range(0, 9, 3)", json!([0, 3, 6, 9]));
    check("$range(1, 9, 9)", json!(1));
    check("$hash('abc', 'SHA-1')", json!("a9993e364706816aba3e25717850c26c9cd0d89d"));
    check("$parse('{\"a\": [1, 2.5]}')", json!({"a": [1, 2.5]}));
    check("$parse('-0')", json!(0));
    check("$states.input.list ~> $partition(2)", json!([[1, 2], [3]]));
    check("$parse('1.0')", json!(1));
    check("$partition([1, 2, 3])", json!([[1, 2, 3]]));
    check("$partition([1, 2, 3], 2.9)", json!([[1, 2], [3]]));
    check("$range(-1.7, 2, 1)", json!([-1, 0, 1, 2]));
    check("$range(5, 1, -1.5)", json!([5, 4, 3, 2, 1]));
    check("$sum($range(1, 200000, 1))", json!(20_000_100_000_i64));
    check("$sum($range(-9223372036854775808, 9223372036854775807, 9223372036854775807)) > -9", json!(true));
    check("$random(42)", json!(0.7275636800328681));
    check("$random(0.9) = $random(0)", json!(true));
    check("$map(['{\"a\":1}', '{\"a\":2}'], $parse).a", json!([1, 2]));
    for text in [
        "$partition($states.input.no, 2)",
        "$partition([], 2)",
        "$partition([1], 0)",
        "$partition([1, 2], -0.5)",
        "$range(5, 1, 1)",
        "$range(1, 5, 0)",
        "$range(1, 5)",
        "$hash('a')",
        "$parse()",
    ] {
        check_error(text, "returned nothing (undefined).");
    }
    for (text, message) in [
        ("$partition([1], -1)", "D3137: Second argument must be zero or greater"),
        ("$range(1)", "T0410: Argument 2 of function \"range\" does not match function signature"),
        ("$range(1, 5, 1, 'x')", "T0410: Argument 4 of function \"range\" does not match function signature"),
        ("$hash('abc', 'md5')", "D3137: Second argument must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"),
        ("$hash(42, 'MD5')", "T0410: Argument 1 of function \"hash\" does not match function signature"),
        ("$hash('a', 5)", "T0410: Argument 2 of function \"hash\" does not match function signature"),
        ("$parse(null)", "T0410: Argument 1 of function \"parse\" does not match function signature"),
        ("$parse('{} {}')", "D3137: Invalid JSON"),
        ("$parse('')", "D3137: Invalid JSON"),
        ("$parse('1e400')", "D3137: Invalid JSON"),
        ("$uuid('seed')", "T0410: Argument 1 of function \"uuid\" does not match function signature"),
        ("$random(1, 2)", "T0410: Argument 2 of function \"random\" does not match function signature"),
    ] {
        check_error(text, &format!("threw an error during evaluation. {message}"));
    }
}

#[test]
fn the_world_is_the_moment() {
    check("$now()", json!("2026-03-04T05:06:07.089Z"));
    check("$now('[Y]/[M]/[D]')", json!("2026/3/4"));
    check("$millis()", json!(1_772_600_767_089_i64));
    check("$fromMillis($toMillis('13:45', '[H]:[m]'))", json!("2026-03-04T13:45:00.000Z"));
    let of = |text: &str, seed, place: &str| {
        with_scope(seed, |scope| Expression::parse(text).unwrap().evaluate_at(scope, place)).unwrap()
    };
    for text in ["$uuid()", "$random()", "$shuffle([1..50])"] {
        let drawn = of(text, 1, "a");
        assert_eq!(drawn, of(text, 1, "a"), "{text}");
        assert_ne!(drawn, of(text, 1, "b"), "{text}");
        assert_ne!(drawn, of(text, 2, "a"), "{text}");
    }
    let two = of("[$uuid(), $uuid()]", 1, "");
    assert_ne!(two[0], two[1]);
    assert_eq!(of("$random(7)", 1, "a"), of("$random(7)", 2, "b"));
    let random = of("$random()", 1, "a").as_f64().unwrap();
    assert!((0.0..1.0).contains(&random), "{random}");
}

#[test]
fn failures_in_the_words_of_aws() {
    check_error("$nothing()", "threw an error during evaluation. T1006: Attempted to invoke a non-function");
    check_error("$eval('1')", "threw an error during evaluation. T1006: Attempted to invoke a non-function");
    check_error("function($x){$x}", "returned an unsupported result type.");
    check_error("$sum", "returned an unsupported result type.");
    check_error("{'f': $sum}", "returned an unsupported result type.");
    check_error(
        "'a' + 1",
        "threw an error during evaluation. T2001: The left side of the \"+\" operator must evaluate to a number",
    );
    assert!(Expression::parse("1 +").unwrap_err().message.starts_with("S0207"));
    let scope_error = with_scope(1, |scope| Expression::parse("$x").unwrap().evaluate(scope)).unwrap_err();
    assert_eq!(
        scope_error.sentence("Output"),
        "The JSONata expression '$x' specified for the field 'Output' returned nothing (undefined)."
    );
}

const TIMEOUT: &str = "threw an error during evaluation: Expression evaluation timeout: Check for infinite loop";
const MEMORY: &str =
    "threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage";
const STACK: &str = "threw an error during evaluation: Stack overflow error: Check for non-terminating recursive function. \
                     Consider rewriting as tail-recursive";

#[test]
fn what_is_no_number_in_json_is_a_text() {
    check("[$parseInteger('abc', '0')]", json!(["NaN"]));
    check("1/0", json!("Infinity"));
    check("-1/0", json!("-Infinity"));
    check("[1/0, {'k': 1e308 * 10}]", json!(["Infinity", {"k": "Infinity"}]));
    check("0/0", json!("NaN"));
}

#[test]
fn what_has_no_end_is_stopped() {
    for (text, words) in [
        ("($f := function(){$f()}; $f())", TIMEOUT),
        ("($f := function($n){1 + $f($n)}; $f(1))", STACK),
        ("[1..873783]", MEMORY),
        ("$range(1, 873783, 1)", MEMORY),
        ("$pad('a', 500000000)", MEMORY),
        ("$pad('a', -500000000)", MEMORY),
    ] {
        check_error(text, words);
    }
    check("$sum([1..800000])", json!(320_000_400_000_i64));
    check_error(
        "$reduce([1..20000], function($inner, $i){{'a': $inner}}, 1)",
        "returned a value that nests deeper than 256.",
    );
    check_error(
        "$reduce([1..60], function($inner, $i){{'l': $inner, 'r': $inner}}, 1)",
        "returned a value of more than 2097152 bytes.",
    );
    assert!(Expression::parse(&"(".repeat(90_000)).is_err());
    assert!(Expression::parse(&"1".repeat(100_001)).is_err());
    check("$pad('a', 3) & $pad('b', -2, '0')", json!("a  0b"));
}

#[test]
fn what_nests_too_deep_is_refused() {
    let nested = |open: &str, count: usize, inside: &str, close: &str| {
        format!("{}{inside}{}", open.repeat(count), close.repeat(count))
    };
    for (fits, is_too_deep) in [
        (nested("", 99, "1", "+1"), nested("", 100, "1", "+1")),
        (nested("", 99, "'a'", "&'a'"), nested("", 100, "'a'", "&'a'")),
        (nested("(", 99, "1", ")"), nested("(", 100, "1", ")")),
        (nested("[", 99, "1", "]"), nested("[", 300, "1", "]")),
        (nested("$abs(", 99, "1", ")"), nested("$abs(", 100, "1", ")")),
        (nested("-", 98, "$states.input.list[0]", ""), nested("-", 99, "$states.input.list[0]", "")),
        (nested("", 99, "1", " ~> $string() "), nested("", 100, "1", " ~> $string()")),
        (format!("true ? 1 : ({})", nested("", 150, "1", "+1")), format!("({}) ? 1 : 2", nested("", 100, "1", "+1"))),
        (format!("[{}]", vec!["1"; 200].join(",")), nested("{'a': ", 100, "1", "}")),
        (format!("$states.input{}", ".deep".repeat(200)) + " ? 1 : 2", nested("", 100, "$count", "=1")),
    ] {
        assert!(evaluate(&fits).is_ok(), "{fits}: {:?}", evaluate(&fits));
        check_error(&is_too_deep, STACK);
    }
}

#[test]
fn calls_that_cannot_be_interrupted_are_looked_at_before() {
    let long = "($a := $pad('', 250000, 'a'); ";
    for (text, words) in [
        // Each match has the regular expression look at all the rest.
        ("$match($a, /a.*b|a/))", TIMEOUT),
        ("$replace($a, /a.*b|a/, ''))", TIMEOUT),
        ("$a ~> $replace(/a.*b|a/, ''))", TIMEOUT),
        ("$a.$split(/a.*b|a/))", TIMEOUT),
        ("$p := $replace(?, /a.*b|a/, ''); $p($a))", TIMEOUT),
        ("$replace($a, 'a', $a))", MEMORY),
        ("$replace($a, /a/, $a))", MEMORY),
        ("$join($map([1..2000], function($i){$a})))", MEMORY),
        ("$j := $join; $j($map([1..2000], function($i){$a}), ','))", MEMORY),
        ("$r := [1..300000]; $zip($r, $r, $r))", MEMORY),
        ("$pad := $pad; $pad('a', 500000000))", MEMORY),
        ("$string($reduce([1..60], function($in, $i){{'l': $in, 'r': $in}}, 1)))", MEMORY),
    ] {
        check_error(&format!("{long}{text}"), words);
    }
    // What comes first, the time or the length.
    for text in ["$map([1..2000], function($i){$a & $i}))", "$reduce([1..40], function($s, $i){$s & $s}, $a))"] {
        let message = evaluate(&format!("{long}{text}")).unwrap_err();
        assert!(message == MEMORY || message == TIMEOUT, "{text}: {message}");
    }
    check("$sum($distinct([1..20000]))", json!(200_010_000));
    check("$distinct($append([1..2000], [{'a': 1, 'b': -0}, {'b': 0, 'a': 1}]))[2000]", json!({"a": 1, "b": 0}));
    check_error(
        "$distinct($append([1..2000], [{'a': 1, 'b': -0}, {'b': 0, 'a': 1}]))[2001]",
        "returned nothing (undefined).",
    );
    let too_large = "the regular expression /(a{1,100}){1,100}b/ is too large when it is compiled";
    check_error("$contains('a', /(a{1,100}){1,100}b/)", too_large);
}

#[test]
fn products_are_bounded() {
    let list = "($list := [1..20000]; $in := {'list': [1..20000], 'in': {'list': [1..20000]}}; ";
    for text in [
        "$in.list.$in.list)",
        "$list.$list)",
        "$list.($list))",
        "$list.$list.$list)",
        "$list.$in.in.list)",
        "$list.$map($list, function($x){$x}))",
        "$in.list@$a.$in.list@$b)",
        "$list@$a.$list@$b[$a = $b])",
        "$in.list#$i.$in.list#$j)",
        "$sum($in.list.$in.list))",
    ] {
        let begun = std::time::Instant::now();
        let message = evaluate(&format!("{list}{text}")).expect_err(text);
        assert!(message == MEMORY || message == TIMEOUT, "{text}: {message}");
        assert!(begun.elapsed().as_secs() < 15, "{text}: {:?}", begun.elapsed());
    }
    let list = "($in := {'list': [{'n': 1, 'l': [1, 2]}, {'n': 2, 'l': [3]}]}; ";
    for (text, value) in [
        ("$in.list.$in.list.n)", json!([1, 2, 1, 2])),
        ("$in.list.$in.list.l[0])", json!([1, 3, 1, 3])),
        ("$in.list.$in.list[0].n)", json!([1, 1])),
        ("$in.list.($in.list.n))", json!([1, 2, 1, 2])),
        ("$in.list.[$in.list.n])", json!([[1, 2], [1, 2]])),
        (
            "$in.list@$a.$in.list@$b[$a.n = $b.n].{'a': $a.n, 'b': $b.l})",
            json!([{"a": 1, "b": [1, 2]}, {"a": 2, "b": [3]}]),
        ),
        ("$in.list#$i.l.{'i': $i, 'l': $})", json!([{"i": 0, "l": 1}, {"i": 0, "l": 2}, {"i": 1, "l": 3}])),
        ("$in.list.l.%.n)", json!([1, 1, 2])),
        ("$in.list[0].$in.list[1].l[])", json!([3])),
        ("$sum($map([1..500], function($x){$sum($in.list.$in.list.n)})))", json!(3_000)),
    ] {
        check(&format!("{list}{text}"), value);
    }
}

#[test]
fn what_is_looked_at_before_is_otherwise_the_same() {
    check("{'x': 'abc'}.x.$pad(5, '-')", json!("abc--"));
    check("{'x': 'a-b'}.x.$split('-')", json!(["a", "b"]));
    check("{'x': 'a1b2'}.x.$match(/[0-9]/).match", json!(["1", "2"]));
    check("{'x': 'a1b2'}.x.$replace(/[0-9]/, '')", json!("ab"));
    check("'a1b2' ~> $replace(/[0-9]/, function($m){'<' & $m.match & '>'})", json!("a<1>b<2>"));
    check("$replace('a1b2', /([0-9])/, '[$1]', 1)", json!("a[1]b2"));
    check("$map(['a b', 'c'], $split(?, ' '))", json!([["a", "b"], ["c"]]));
    check("$map([1, 2], $string)", json!(["1", "2"]));
    check("['b', 'a', 'b'] ~> $distinct ~> $join('+')", json!("b+a"));
    check("$type($distinct)", json!("function"));
    check("($join := function($x){'mine'}; $join([1]))", json!("mine"));
    check("($split := 'a value'; $split)", json!("a value"));
    check("[1, 2].{'s': $string()}", json!([{"s": "1"}, {"s": "2"}]));
    check("$zip([1, 2], ['a', 'b'])", json!([[1, "a"], [2, "b"]]));
    assert!(evaluate("$replace('a', /x*/, '')").unwrap_err().contains("D1004"));
}

#[test]
fn what_cannot_be_decoded_is_refused() {
    for (text, decoded) in [("YWJj", "abc"), ("YQ==", "a"), ("YQ", "a"), ("", "")] {
        check(&format!("$base64decode('{text}')"), json!(decoded));
    }
    check("{'x': 'YWJj'}.x.$base64decode()", json!("abc"));
    check("$decodeUrl('a%20b') & $decodeUrlComponent('%3D')", json!("a b="));
    for text in ["!!!", "Y", "YQ=", "Y===", "YW=j", "Y WJj", "YQ==YQ=="] {
        let message = evaluate(&format!("$base64decode('{text}')")).expect_err(text);
        let uuid = message.strip_prefix("threw an internal error during evaluation. ").expect(&message);
        assert_eq!(uuid.len(), 36, "{message}");
    }
    assert!(evaluate("['!!!'] ~> $map($base64decode)").is_err());
    assert!(evaluate("{'x': '!!!'}.x.$base64decode()").is_err());
    for (function, url) in [
        ("decodeUrl", "%"),
        ("decodeUrlComponent", "%"),
        ("decodeUrl", "a%2"),
        ("decodeUrl", "%%20"),
        ("decodeUrl", "%E0%A4%A"),
    ] {
        let words =
            format!("threw an error during evaluation. D3140: Malformed URL passed to ${function}(): \"{url}\"");
        check_error(&format!("${function}('{url}')"), &words);
    }
}

#[test]
fn expressions_are_shared_between_threads() {
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Expression>();
}

#[test]
fn delimiters() {
    for (text, inside) in
        [("{% $x %}", Some(" $x ")), ("{%%}", Some("")), ("a {% $x %}", None), ("{%}", None), ("x", None)]
    {
        assert_eq!(delimited(text), inside, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn the_parser_never_panics(text in "\\PC{0,40}") {
        let _ = Expression::parse(&text);
    }

    #[test]
    fn neither_does_what_looks_like_an_expression(text in r#"[$a-c.(){}\[\]*+?:;=0-2'"~>^@#%/ -]{0,30}"#) {
        if let Ok(expression) = Expression::parse(&text) {
            let _ = with_scope(1, |scope| expression.evaluate(scope));
        }
    }
}
