//! The parser's errors in the words of the language's own implementation, which AWS shows: it writes symbols, where the parser
//! names its tokens.

/// A token as the parser names it, and as it is written.
const SYMBOLS: [(&str, &str); 38] = [
    ("QuestionQuestion", "??"),
    ("QuestionColon", "?:"),
    ("ColonEqual", ":="),
    ("TildeArrow", "~>"),
    ("StarStar", "**"),
    ("DotDot", ".."),
    ("LessThanOrEqual", "<="),
    ("GreaterThanOrEqual", ">="),
    ("NotEqual", "!="),
    ("LessThan", "<"),
    ("GreaterThan", ">"),
    ("Equal", "="),
    ("Plus", "+"),
    ("Minus", "-"),
    ("Star", "*"),
    ("Slash", "/"),
    ("Percent", "%"),
    ("And", "and"),
    ("Or", "or"),
    ("In", "in"),
    ("Ampersand", "&"),
    ("Dot", "."),
    ("Question", "?"),
    ("Colon", ":"),
    ("LeftParen", "("),
    ("RightParen", ")"),
    ("LeftBracket", "["),
    ("RightBracket", "]"),
    ("LeftBrace", "{"),
    ("RightBrace", "}"),
    ("Comma", ","),
    ("Semicolon", ";"),
    ("Caret", "^"),
    ("Pipe", "|"),
    ("Hash", "#"),
    ("At", "@"),
    ("True", "true"),
    ("False", "false"),
];

/// The message with its symbols written out: `S0202: Expected "]", got ","`.
pub(super) fn with_symbols(message: &str) -> String {
    for (begin, between, end) in [
        ("S0202: Expected ", ", got ", ""),
        ("S0203: Expected ", "", " before end of expression"),
        ("S0211: The symbol ", "", " cannot be used as a unary operator"),
        ("S0201: Syntax error: ", "", ""),
    ] {
        let Some(inside) = message.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end)) else { continue };
        return match inside.split_once(between).filter(|_| !between.is_empty()) {
            Some((expected, got)) => format!("{begin}{}{between}{}{end}", symbol(expected), symbol(got)),
            None => format!("{begin}{}{end}", symbol(inside)),
        };
    }
    message.to_owned()
}

/// A token in quotes; one that holds a text (`Identifier("x")`) as that text.
fn symbol(token: &str) -> String {
    let known = SYMBOLS.iter().find(|(name, _)| *name == token).map(|(_, symbol)| format!("\"{symbol}\""));
    known.unwrap_or_else(|| match token.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')) {
        Some(text) if text.starts_with('"') => text.to_owned(),
        Some(text) => format!("\"{}\"", text.strip_suffix(".0").unwrap_or(text)),
        None => token.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Expression;

    #[test]
    fn errors_as_aws_shows_them() {
        for (expression, message) in [
            ("a[1,2)", "S0202: Expected \"]\", got \",\""),
            ("{\"a\":}", "S0211: The symbol \"}\" cannot be used as a unary operator"),
            ("phone %.other", "S0211: The symbol \".\" cannot be used as a unary operator"),
            ("(1", "S0203: Expected \")\" before end of expression"),
            ("1 +", "S0207: Unexpected end of expression"),
            ("$match(\"a\", /abc", "S0302: No terminating / in regular expression"),
            ("/abc\\", "S0302: No terminating / in regular expression"),
            ("$match(\"a/\", /[\"']", "S0302: No terminating / in regular expression"),
            ("$match('a', //)", "S0301: Empty regular expressions are not allowed"),
            ("\"abc", "S0101: String literal must be terminated by a matching quote"),
            ("\"abc /d/", "S0101: String literal must be terminated by a matching quote"),
            ("4 / 'a\\", "S0101: String literal must be terminated by a matching quote"),
            ("[1 2]", "S0202: Expected \"]\", got \"2\""),
        ] {
            let told = Expression::parse(expression).expect_err(expression);
            assert_eq!(told.message, message, "{expression}");
        }
    }
}
