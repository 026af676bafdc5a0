//! `condition`: `and`, `or`, `not`, parentheses, `1 of sel*`, `all of them`.

use super::Expression;

/// How deep parentheses and `not`s may nest.
const DEPTH_MAX: usize = 64;

/// What is wrong with a condition.
#[derive(Debug)]
pub(super) struct Fault {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Fault {
        Fault { code: "INVALID_CONDITION", message: message.into(), help: None }
    }
}

/// Reads a condition over the search identifiers, given in the order of the rule.
pub(super) fn parse(text: &str, searches: &[(String, Expression)]) -> Result<Expression, Fault> {
    if text.contains('|') {
        return Err(Fault {
            code: "UNSUPPORTED_CONDITION",
            message: "an aggregation (`| count()` and its like) is not supported: a rule here looks at one event"
                .to_owned(),
            help: Some("leave away what follows the `|`: every single event will match then".to_owned()),
        });
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, searches };
    let expression = parser.any(0)?;
    match parser.words.first() {
        None => Ok(expression),
        Some(word) => Err(Fault::new(format!("`{word}` can't stand here; expected `and`, `or` or the end"))),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    searches: &'a [(String, Expression)],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.words.first().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self, depth: usize) -> Result<Expression, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.take("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Expression, Fault> {
        let mut parts = vec![self.negated(depth)?];
        while self.take("and") {
            parts.push(self.negated(depth)?);
        }
        Ok(one_or(parts, Expression::All))
    }

    fn negated(&mut self, depth: usize) -> Result<Expression, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::new(format!("the condition nests deeper than {DEPTH_MAX} levels")));
        }
        if self.take("not") {
            return Ok(Expression::Not(Box::new(self.negated(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            return match self.take(")") {
                true => Ok(inner),
                false => Err(Fault::new("a `)` is missing")),
            };
        }
        self.search()
    }

    fn search(&mut self) -> Result<Expression, Fault> {
        let Some(word) = self.next() else {
            return Err(Fault::new("the condition ends where a search identifier is expected"));
        };
        if self.take("of") {
            return self.several(word);
        }
        if let Some((_, expression)) = self.searches.iter().find(|(name, _)| name == word) {
            return Ok(expression.clone());
        }
        let names = self.searches.iter().map(|(name, _)| name.as_str());
        let help = match asl::nearest::nearest(word, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.collect::<Vec<_>>().join(", ")),
        };
        Err(Fault { help: Some(help), ..Fault::new(format!("there is no search identifier `{word}`")) })
    }

    /// What follows `1 of`, `any of` or `all of`.
    fn several(&mut self, quantifier: &str) -> Result<Expression, Fault> {
        let combine = match quantifier.to_ascii_lowercase().as_str() {
            "1" | "any" => Expression::Any,
            "all" => Expression::All,
            _ => {
                let fault = Fault::new(format!("`{quantifier} of` is not supported"));
                return Err(Fault { help: Some("write `1 of`, `any of` or `all of`".to_owned()), ..fault });
            }
        };
        let Some(wanted) = self.next() else {
            return Err(Fault::new(format!("the condition ends behind `{quantifier} of`")));
        };
        let them = wanted.eq_ignore_ascii_case("them");
        let parts: Vec<Expression> = self
            .searches
            .iter()
            // Those that begin with an underscore are left out of `them`, as the specification has it.
            .filter(|(name, _)| if them { !name.starts_with('_') } else { is_like(name, wanted) })
            .map(|(_, expression)| expression.clone())
            .collect();
        if parts.is_empty() {
            return Err(Fault::new(format!("no search identifier is meant by `{quantifier} of {wanted}`")));
        }
        Ok(one_or(parts, combine))
    }
}

fn one_or(mut parts: Vec<Expression>, combine: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => combine(parts),
    }
}

/// Whether a name is as a pattern with `*` says.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
