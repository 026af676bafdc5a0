//! The evaluator's errors in the words of the language's own implementation, which AWS shows. Which error it is, the library
//! says by the same code.

use super::blame::Noted;

/// What is said without a value.
const FIXED: [(&str, &str); 31] = [
    ("T1005", "Attempted to invoke a non-function"),
    ("T1006", "Attempted to invoke a non-function"),
    ("T2003", "The left side of the range operator (..) must evaluate to an integer"),
    ("T2004", "The right side of the range operator (..) must evaluate to an integer"),
    ("T2006", "The right side of the function application operator ~> must be a function"),
    ("D3001", "Attempting to invoke string function on Infinity or NaN"),
    ("D3010", "Second argument of replace function cannot be an empty string"),
    ("D3011", "Fourth argument of replace function must evaluate to a positive number"),
    ("D3012", "Attempted to replace a matched string with a non-string value"),
    ("D3020", "Third argument of split function must evaluate to a positive number"),
    ("D3040", "Third argument of match function must evaluate to a positive number"),
    ("D3050", "The second argument of reduce function must be a function with at least two arguments"),
    ("D3080", "The picture string must only contain a maximum of two sub-pictures"),
    ("D3081", "The sub-picture must not contain more than one instance of the 'decimal-separator' character"),
    ("D3082", "The sub-picture must not contain more than one instance of the 'percent' character"),
    ("D3083", "The sub-picture must not contain more than one instance of the 'per-mille' character"),
    ("D3084", "The sub-picture must not contain both a 'percent' and a 'per-mille' character"),
    (
        "D3085",
        "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit \
         character' or a member of the 'decimal digit family'",
    ),
    (
        "D3086",
        "The sub-picture must not contain a passive character that is preceded by an active character and that is \
         followed by another active character",
    ),
    (
        "D3087",
        "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a \
         'decimal-separator' character",
    ),
    ("D3088", "The sub-picture must not contain a 'grouping-separator' at the end of the integer part"),
    ("D3089", "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character"),
    (
        "D3090",
        "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed \
         by an instance of the 'optional digit character'",
    ),
    (
        "D3091",
        "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that is \
         followed by a member of the 'decimal digit family'",
    ),
    (
        "D3092",
        "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an \
         'exponent-separator'",
    ),
    (
        "D3093",
        "The exponent part of the sub-picture must comprise only of one or more characters that are members of the \
         'decimal digit family'",
    ),
    ("D3131", "In a decimal digit pattern, all digits must be from the same decimal group"),
    ("D3134", "The timezone integer format specifier cannot have more than four digits"),
    ("D3135", "No matching closing bracket ']' in date/time picture string"),
    ("D3136", "The date/time picture string is missing specifiers required to parse the timestamp"),
    ("D3138", "The $single() function expected exactly 1 matching result.  Instead it matched more."),
];

/// What the items of an array have to be, as the library and as the language call them.
const ITEMS: [(&str, &str); 6] = [
    ("Array", "arrays"),
    ("Boolean", "booleans"),
    ("Function", "functions"),
    ("Number", "numbers"),
    ("Object", "objects"),
    ("String", "strings"),
];

/// How many parameters the functions have that take a number of arguments which the library counts.
const PARAMETERS: [(usize, &str); 4] = [
    (
        1,
        "abs average base64decode base64encode boolean ceil count decodeUrl decodeUrlComponent distinct encodeUrl \
         encodeUrlComponent error exists floor keys length lowercase max merge min not number reverse spread sqrt sum trim type \
         uppercase",
    ),
    (
        2,
        "append assert contains each filter formatBase formatInteger join lookup map parseInteger power round sift single sort \
         string substringAfter substringBefore toMillis",
    ),
    (3, "formatNumber fromMillis match pad reduce split substring"),
    (4, "replace"),
];

/// The error in the words of the language; `blame` finds out what it is of, where that has to be said.
pub(super) fn words(message: &str, blame: impl FnOnce() -> Option<Noted>) -> String {
    let message = message.strip_prefix("Signature validation failed: ").unwrap_or(message);
    let Some((code, said)) = message.split_once(": ").filter(|(code, _)| code.len() == 5) else {
        return message.to_owned();
    };
    if let Some((_, fixed)) = FIXED.iter().find(|(known, _)| *known == code) {
        return format!("{code}: {fixed}");
    }
    match with_token(code, said).or_else(|| with_values(code, said, blame)) {
        Some(words) => format!("{code}: {words}"),
        None => message.to_owned(),
    }
}

/// What is said of a part of a picture, which is all that the library says.
fn with_token(code: &str, said: &str) -> Option<String> {
    let said = serde_json::Value::from(said);
    Some(match code {
        "D3130" => {
            format!(
                "Formatting or parsing an integer as a sequence starting with {said} is not supported by this implementation"
            )
        }
        "D3132" => format!("Unknown component specifier {said} in date/time picture string"),
        "D3133" => {
            format!(
                "The 'name' modifier can only be applied to months and days in the date/time picture string, not {said}"
            )
        }
        _ => return None,
    })
}

/// What is said of a function or of values.
fn with_values(code: &str, said: &str, blame: impl FnOnce() -> Option<Noted>) -> Option<String> {
    const KNOWN: [&str; 16] = [
        "T0410", "T0411", "T0412", "D1002", "T2001", "T2002", "T2007", "T2009", "T2010", "T2011", "T2012", "D3030",
        "D3060", "D3061", "D3100", "D3110",
    ];
    // The functions of Step Functions say it themselves.
    if !KNOWN.contains(&code) || said.contains(" of function \"") {
        return None;
    }
    let noted = blame()?;
    let (value, what) = (|index| noted.value(index), serde_json::Value::from(noted.what.as_str()));
    Some(match code {
        "T0410" => {
            format!("Argument {} of function {what} does not match function signature", argument(&noted.what, said)?)
        }
        "T0411" => {
            format!(
                "Context value is not a compatible type with argument {} of function {what}",
                argument(&noted.what, said).unwrap_or(1)
            )
        }
        "T0412" => {
            let (_, items) = said.rsplit_once("an array of ")?;
            let (_, items) = ITEMS.iter().find(|(known, _)| *known == items)?;
            format!("Argument {} of function {what} must be an array of \"{items}\"", argument(&noted.what, said)?)
        }
        "D1002" => format!("Cannot negate a non-numeric value: {}", value(0)),
        "T2001" => format!("The left side of the {what} operator must evaluate to a number"),
        "T2002" => format!("The right side of the {what} operator must evaluate to a number"),
        "T2007" => {
            let (first, second) = noted.unlike_terms()?;
            format!("Type mismatch when comparing values {first} and {second} in order-by clause")
        }
        "T2009" => format!(
            "The values {} and {} either side of operator {what} must be of the same data type",
            value(0),
            value(1)
        ),
        "T2010" => {
            format!("The expressions either side of operator {what} must evaluate to numeric or string values")
        }
        "T2011" => {
            format!("The insert/update clause of the transform expression must evaluate to an object: {}", value(0))
        }
        "T2012" => format!(
            "The delete clause of the transform expression must evaluate to a string or array of strings: {}",
            value(0)
        ),
        "D3030" => format!("Unable to cast value to a number: {}", noted.subject()),
        "D3060" => format!("The sqrt function cannot be applied to a negative number: {}", noted.subject()),
        "D3061" => format!(
            "The power function has resulted in a value that cannot be represented as a JSON number: base={}, exponent={}",
            value(0),
            value(1)
        ),
        "D3100" => {
            format!("The radix of the formatBase function must be between 2 and 36.  It was given {}", value(1))
        }
        "D3110" => format!(
            "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given {}",
            noted.subject()
        ),
        _ => return None,
    })
}

/// Which argument the library means: it says so, or how many there were where there had to be others.
fn argument(function: &str, said: &str) -> Option<usize> {
    let number = |text: &str| text.split(|found: char| !found.is_ascii_digit()).find_map(|part| part.parse().ok());
    match said.split_once("count mismatch: expected ") {
        Some((_, counts)) => {
            let (expected, actual): (usize, usize) = (number(counts)?, number(counts.split_once("got ")?.1)?);
            // The first that is missing, or the first that is too many.
            let most = PARAMETERS.iter().find(|(_, names)| names.split(' ').any(|name| name == function));
            Some(if actual < expected { actual + 1 } else { most.map_or(actual, |(most, _)| most + 1) })
        }
        None => number(said),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::Expression;
    use crate::Moment;

    #[test]
    fn errors_as_aws_words_them() {
        let picture = "The sub-picture must not contain a passive character that is preceded by an active character and that is \
                       followed by another active character";
        let mut wrong = Vec::new();
        for (expression, code, words) in [
            ("$abs('a')", "T0410", "Argument 1 of function \"abs\" does not match function signature"),
            ("$abs(null)", "T0410", "Argument 1 of function \"abs\" does not match function signature"),
            ("$boolean(1, 2)", "T0410", "Argument 2 of function \"boolean\" does not match function signature"),
            ("$abs(1, 2, 3)", "T0410", "Argument 2 of function \"abs\" does not match function signature"),
            ("$type()", "T0410", "Argument 1 of function \"type\" does not match function signature"),
            ("$pad('a')", "T0410", "Argument 2 of function \"pad\" does not match function signature"),
            ("$abs($sum([1]) & 'a')", "T0410", "Argument 1 of function \"abs\" does not match function signature"),
            ("$sum([$abs(-1), 'a'])", "T0412", "Argument 1 of function \"sum\" must be an array of \"numbers\""),
            ("'a' ~> $abs()", "T0410", "Argument 1 of function \"abs\" does not match function signature"),
            ("'a' ~> $abs", "T0410", "Argument 1 of function \"abs\" does not match function signature"),
            (
                "$map([1, 2], function($x){$uppercase($x)})",
                "T0410",
                "Argument 1 of function \"uppercase\" does not match function signature",
            ),
            (
                "($f := function($x)<n:n>{$x}; $f('a'))",
                "T0410",
                "Argument 1 of function \"f\" does not match function signature",
            ),
            ("[1].$length()", "T0411", "Context value is not a compatible type with argument 1 of function \"length\""),
            ("$sum(['a'])", "T0412", "Argument 1 of function \"sum\" must be an array of \"numbers\""),
            ("$max('a')", "T0412", "Argument 1 of function \"max\" must be an array of \"numbers\""),
            ("$join([1, 2])", "T0412", "Argument 1 of function \"join\" must be an array of \"strings\""),
            ("$merge(1)", "T0412", "Argument 1 of function \"merge\" must be an array of \"objects\""),
            ("$formatNumber(1, 'x')", "D3086", picture),
            ("$number('x')", "D3030", "Unable to cast value to a number: \"x\""),
            ("'a' + 1", "T2001", "The left side of the \"+\" operator must evaluate to a number"),
            ("1 + 'a'", "T2002", "The right side of the \"+\" operator must evaluate to a number"),
            ("(1 + 2) * 'a'", "T2002", "The right side of the \"*\" operator must evaluate to a number"),
            ("[1, 'a'].($ * 2)", "T2001", "The left side of the \"*\" operator must evaluate to a number"),
            ("1 < 'a'", "T2009", "The values 1 and \"a\" either side of operator \"<\" must be of the same data type"),
            (
                "[3, 'b'][$ >= 2]",
                "T2009",
                "The values \"b\" and 2 either side of operator \">=\" must be of the same data type",
            ),
            (
                "'a' < true",
                "T2010",
                "The expressions either side of operator \"<\" must evaluate to numeric or string values",
            ),
            ("-'a'", "D1002", "Cannot negate a non-numeric value: \"a\""),
            ("['a'..1]", "T2003", "The left side of the range operator (..) must evaluate to an integer"),
            ("[1..'a']", "T2004", "The right side of the range operator (..) must evaluate to an integer"),
            ("[1, 'a']^($)", "T2007", "Type mismatch when comparing values 1 and \"a\" in order-by clause"),
            ("[3, 1, 2, 'a', 'b']^(>$)", "T2007", "Type mismatch when comparing values 2 and \"a\" in order-by clause"),
            ("$replace('a', '', 'b')", "D3010", "Second argument of replace function cannot be an empty string"),
            (
                "$formatBase(1, 99)",
                "D3100",
                "The radix of the formatBase function must be between 2 and 36.  It was given 99",
            ),
            (
                "$parseInteger('12', 'foo')",
                "D3130",
                "Formatting or parsing an integer as a sequence starting with \"foo\" is not supported by this implementation",
            ),
            (
                "$single([1, 2])",
                "D3138",
                "The $single() function expected exactly 1 matching result.  Instead it matched more.",
            ),
            (
                "$single([])",
                "D3139",
                "The $single() function expected exactly 1 matching result.  Instead it matched 0.",
            ),
            ("$sqrt(-1)", "D3060", "The sqrt function cannot be applied to a negative number: -1"),
            (
                "$power(-1, 0.5)",
                "D3061",
                "The power function has resulted in a value that cannot be represented as a JSON number: base=-1, exponent=0.5",
            ),
            (
                "$toMillis('x')",
                "D3110",
                "The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given \"x\"",
            ),
            ("$fromMillis(1, '[q]')", "D3132", "Unknown component specifier \"q\" in date/time picture string"),
            (
                "{'a': 1} ~> |$|1|",
                "T2011",
                "The insert/update clause of the transform expression must evaluate to an object: 1",
            ),
            (
                "{'a': 1} ~> |$|{}, 5|",
                "T2012",
                "The delete clause of the transform expression must evaluate to a string or array of strings: 5",
            ),
            ("{1: 2}", "T1003", "Key in object structure must evaluate to a string; got: 1"),
            ("$error('mine')", "D3137", "mine"),
            ("$hash(42, 'MD5')", "T0410", "Argument 1 of function \"hash\" does not match function signature"),
        ] {
            let told = Expression::parse(expression).map_err(|error| error.message).and_then(|expression| {
                let moment = Moment { now: "2026-03-04T05:06:07Z".parse().expect("a moment"), seed: [1; 32] };
                expression.evaluate_plainly(Some(&json!({})), &Map::new(), &moment, 1_000)
            });
            let told = told.map(|value| value.map(|value: Value| value.to_string()));
            if told != Err(format!("{code}: {words}")) {
                wrong.push((expression, told));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
