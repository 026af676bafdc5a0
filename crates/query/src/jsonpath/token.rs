//! What a path is made of once it is parsed.

use super::{filter::Condition, function::Function};

/// One step of a path.
#[derive(Clone, Debug)]
pub enum Token {
    /// `.name`, `['name']`, `['one','two']`. The delimiter is only for error texts.
    Property { names: Vec<String>, delimiter: char },
    /// `[0]`, `[-1]`, `[0,2]`.
    Index(Vec<i64>),
    /// `[1:]`, `[:2]`, `[1:2]`.
    Slice { from: Option<i64>, to: Option<i64> },
    /// `*`.
    Wildcard,
    /// `..`: the token after it is applied at every depth.
    Scan,
    /// `[?(…)]`, with its text for error messages.
    Filter { condition: Box<Condition>, text: String },
    /// `.length()`.
    Function { function: Function, arguments: Vec<Argument> },
}

/// An argument of a function.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A JSON literal.
    Literal(serde_json::Value),
    /// A path, evaluated against the document's root.
    Path(Vec<Token>),
}

impl Token {
    /// Whether it leads to one node at most. Several names at the end of a path make one object of them.
    pub fn is_definite(&self, is_last: bool) -> bool {
        match self {
            Token::Property { names, .. } => names.len() == 1 || is_last,
            Token::Index(indices) => indices.len() == 1,
            Token::Function { .. } => true,
            Token::Slice { .. } | Token::Wildcard | Token::Scan | Token::Filter { .. } => false,
        }
    }

    /// As Jayway's messages show it.
    pub fn fragment(&self) -> String {
        match self {
            Token::Property { names, delimiter } => {
                let names: Vec<String> = names
                    .iter()
                    .map(|name| format!("{delimiter}{}{delimiter}", name.replace('\\', "\\\\").replace('\'', "\\'")))
                    .collect();
                format!("[{}]", names.join(","))
            }
            Token::Index(indices) => {
                let indices: Vec<String> = indices.iter().map(i64::to_string).collect();
                format!("[{}]", indices.join(","))
            }
            Token::Slice { from, to } => {
                let text = |bound: &Option<i64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
                format!("[{}:{}]", text(from), text(to))
            }
            Token::Wildcard => "[*]".to_owned(),
            Token::Scan => "..".to_owned(),
            Token::Filter { text, .. } => text.clone(),
            Token::Function { function, arguments } => {
                format!(".{}({})", function.name(), if arguments.is_empty() { "" } else { "..." })
            }
        }
    }
}

/// Whether a whole path leads to one node at most.
pub fn is_definite(tokens: &[Token]) -> bool {
    tokens.iter().enumerate().all(|(at, token)| token.is_definite(at + 1 == tokens.len()))
}

/// A path as Jayway's messages show it: `$['a'][0]`.
pub fn fragments(tokens: &[Token]) -> String {
    tokens.iter().fold("$".to_owned(), |text, token| text + &token.fragment())
}
