//! YAML 1.2: the parser's events, made into a value and its places.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};
use serde_json::{Map, Value};

use super::{
    MAX_ALIAS_EXPANSION, MAX_DEPTH, json,
    place::{Lines, Place},
    scalar,
};
use crate::Diagnostic;

/// Parses a YAML text that holds one document.
pub(super) fn parse(text: &str, lines: &Lines) -> Result<(Value, Place), Vec<Diagnostic>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(text, options),
        text,
        lines,
        anchors: HashMap::new(),
        expansion: 0,
        problems: Vec::new(),
    };
    match builder.document() {
        Ok(node) if builder.problems.is_empty() => Ok((node.value, node.place)),
        Ok(_) => Err(builder.problems),
        Err(Stop) => Err(builder.problems),
    }
}

/// A value with its place.
#[derive(Clone)]
struct Node {
    value: Value,
    place: Place,
    /// One for each value in it, and the bytes of its strings and keys.
    weight: usize,
    /// How deep it is: 0 where nothing is in it.
    height: usize,
}

/// Nothing can be read behind this problem, which is already noted.
struct Stop;

struct Builder<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    lines: &'a Lines,
    anchors: HashMap<usize, Node>,
    expansion: usize,
    problems: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.event()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                _ if root.is_some() => {
                    let help = "keep one document in a file: what comes after `---` would be lost";
                    self.problem("YAML_DOCUMENTS", "this is a second document", "", &span, Some(help));
                    return Err(Stop);
                }
                event => root = Some(self.node(event, &span, "", 0)?),
            }
        }
        root.ok_or_else(|| {
            let problem = Diagnostic::error("SCHEMA_VALIDATION_FAILED", "Definition must be a valid JSON object");
            self.problems.push(problem);
            Stop
        })
    }

    fn event(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let problem = self.syntax_error(&error);
                self.problems.push(problem);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, pointer: &str, depth: usize) -> Result<Node, Stop> {
        self.check_depth(depth, pointer, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), pointer, span);
                let (start, end) = bytes(span);
                let weight = text.len().saturating_add(1);
                (Node { value, place: Place::leaf(start, end), weight, height: 0 }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", pointer, span);
                (self.sequence(span, style, pointer, depth)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", pointer, span);
                (self.mapping(span, style, pointer, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.alias(anchor, span, pointer)?;
                self.check_depth(depth.saturating_add(node.height), pointer, span)?;
                (node, 0)
            }
            _ => {
                self.problem("INVALID_YAML", "a value is expected here", pointer, span, None);
                return Err(Stop);
            }
        };
        if anchor != 0 {
            self.expand(node.weight, span, pointer)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn check_depth(&mut self, depth: usize, pointer: &str, span: &Span) -> Result<(), Stop> {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        let message = format!("this is nested more than {MAX_DEPTH} deep");
        self.problem("DOCUMENT_TOO_DEEP", message, pointer, span, None);
        Err(Stop)
    }

    fn sequence(&mut self, start: &Span, style: StructureStyle, pointer: &str, depth: usize) -> Result<Node, Stop> {
        let (mut items, mut children, mut weight, mut height) = (Vec::new(), Vec::new(), 1_usize, 0);
        loop {
            let (event, span) = self.event()?;
            if matches!(event, Event::SequenceEnd) {
                let value = extent(start, &span, style, &children);
                return Ok(Node {
                    value: Value::Array(items),
                    place: Place { value, key: None, children },
                    weight,
                    height,
                });
            }
            let inside = format!("{pointer}/{}", items.len());
            let node = self.node(event, &span, &inside, depth.saturating_add(1))?;
            weight = weight.saturating_add(node.weight);
            height = node.height.saturating_add(1).max(height);
            items.push(node.value);
            children.push(node.place);
        }
    }

    fn mapping(&mut self, start: &Span, style: StructureStyle, pointer: &str, depth: usize) -> Result<Node, Stop> {
        let (mut object, mut children, mut weight, mut height) = (Map::new(), Vec::new(), 1_usize, 0);
        let mut merged = Vec::new();
        loop {
            let (event, key_span) = self.event()?;
            if matches!(event, Event::MappingEnd) {
                let value = extent(start, &key_span, style, &children);
                for node in merged {
                    merge(node, &mut object, &mut children);
                }
                return Ok(Node {
                    value: Value::Object(object),
                    place: Place { value, key: None, children },
                    weight,
                    height,
                });
            }
            let (name, is_merge) = self.key(event, &key_span, pointer)?;
            let inside = format!("{pointer}/{}", super::escape(&name));
            let (event, span) = self.event()?;
            let node = self.node(event, &span, &inside, depth.saturating_add(1))?;
            weight = weight.saturating_add(node.weight).saturating_add(name.len());
            height = node.height.saturating_add(1).max(height);
            if is_merge {
                merged.extend(self.merge_sources(node, &inside, &span)?);
            } else if object.contains_key(&name) {
                self.problems.push(json::duplicate_key(&name, inside, bytes(&key_span), self.lines));
            } else {
                object.insert(name, node.value);
                children.push(Place { key: Some(bytes(&key_span)), ..node.place });
            }
        }
    }

    /// A key is its text as written: `1: x` has the key `1`, `on: x` the key `on`.
    fn key(&mut self, event: Event<'a>, span: &Span, pointer: &str) -> Result<(String, bool), Stop> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                self.collection_tag(tag.as_deref(), "str", pointer, span);
                let is_merge = text == "<<" && style == ScalarStyle::Plain;
                Ok((text.into_owned(), is_merge))
            }
            Event::Alias(anchor) => match self.alias(anchor, span, pointer)?.value {
                Value::String(text) => Ok((text, false)),
                _ => self.bad_key(span, pointer),
            },
            _ => self.bad_key(span, pointer),
        }
    }

    fn bad_key<T>(&mut self, span: &Span, pointer: &str) -> Result<T, Stop> {
        let help =
            "JSON knows no other keys; an expression or a `${…}` at the beginning of a value has to be in quotes";
        self.problem("INVALID_YAML", "a key must be a string", pointer, span, Some(help));
        Err(Stop)
    }

    /// What `<<` takes in: a mapping, or a sequence of them of which the first wins.
    fn merge_sources(&mut self, node: Node, pointer: &str, span: &Span) -> Result<Vec<Node>, Stop> {
        let sources = match node.value {
            Value::Array(items) => {
                let places = node.place.children;
                items
                    .into_iter()
                    .zip(places)
                    .map(|(value, place)| Node { value, place, weight: 0, height: 0 })
                    .collect()
            }
            _ => vec![node],
        };
        if sources.iter().any(|source| !source.value.is_object()) {
            let help = "write `<<: *name`, or `\"<<\"` in quotes for a key of that name";
            self.problem("INVALID_YAML", "`<<` merges mappings only", pointer, span, Some(help));
            return Err(Stop);
        }
        Ok(sources)
    }

    fn alias(&mut self, anchor: usize, span: &Span, pointer: &str) -> Result<Node, Stop> {
        let Some(weight) = self.anchors.get(&anchor).map(|node| node.weight) else {
            self.problem("INVALID_YAML", "this alias is inside of what it stands for", pointer, span, None);
            return Err(Stop);
        };
        self.expand(weight, span, pointer)?;
        let Some(mut node) = self.anchors.get(&anchor).cloned() else { return Err(Stop) };
        node.place.value = bytes(span);
        Ok(node)
    }

    fn expand(&mut self, weight: usize, span: &Span, pointer: &str) -> Result<(), Stop> {
        self.expansion = self.expansion.saturating_add(weight);
        if self.expansion <= MAX_ALIAS_EXPANSION {
            return Ok(());
        }
        let message = format!("aliases make this text more than {MAX_ALIAS_EXPANSION} bytes longer");
        self.problem("TOO_MANY_ALIASES", message, pointer, span, Some("write out what is used, or use fewer aliases"));
        Err(Stop)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, pointer: &str, span: &Span) -> Value {
        let string = || Value::String(text.to_owned());
        let resolved = match tag {
            None if style == ScalarStyle::Plain => scalar::resolve(text),
            None => Some(string()),
            Some(tag) => match tag.core_suffix() {
                Some("str") => Some(string()),
                Some("int" | "float" | "bool" | "null") => scalar::resolve(text),
                _ if is_non_specific(tag) => Some(string()),
                _ => {
                    self.unknown_tag(tag, pointer, span);
                    Some(string())
                }
            },
        };
        resolved.unwrap_or_else(|| {
            let message = format!("JSON has no number `{text}`");
            self.problem("INVALID_YAML", message, pointer, span, Some("put it in quotes if it is a string"));
            Value::Null
        })
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, suffix: &str, pointer: &str, span: &Span) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(suffix) && !is_non_specific(tag)) {
            self.unknown_tag(tag, pointer, span);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, pointer: &str, span: &Span) {
        let help = "the States Language has no tags: write the value itself, in quotes if it begins with `!`";
        let message = format!("the tag `{}` is unknown", tag.original());
        self.problem("UNKNOWN_TAG", message, pointer, span, Some(help));
    }

    fn problem(&mut self, code: &str, message: impl Into<String>, pointer: &str, span: &Span, help: Option<&str>) {
        let (start, end) = bytes(span);
        let mut problem = Diagnostic::error(code, message).at(pointer, self.lines.span(start, end));
        problem.help = help.map(str::to_owned);
        self.problems.push(problem);
    }

    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or_else(|| {
            let marker = error.marker();
            self.lines.byte(marker.line(), marker.col().saturating_add(1))
        });
        let problem = Diagnostic::error("INVALID_YAML", error.info()).at("", self.lines.span(at, at));
        if is_bare_expression(self.text, at) {
            return problem
                .with_help("put the expression in quotes: YAML takes a bare `{%` for a mapping: \"{% … %}\"");
        }
        problem
    }
}

/// Whether a `{% … %}` without quotes is what the scanner stumbled over: it then stands at the `%`, or somewhat behind it.
fn is_bare_expression(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or("");
    let line = before.rsplit('\n').next().unwrap_or("");
    let rest = text.get(at..).unwrap_or("");
    (line.trim_end().ends_with('{') && rest.starts_with('%')) || line.contains(": {%") || line.contains("- {%")
}

fn is_non_specific(tag: &Tag) -> bool {
    tag.original() == "!"
}

fn merge(source: Node, object: &mut Map<String, Value>, children: &mut Vec<Place>) {
    let Value::Object(fields) = source.value else { return };
    for ((name, value), place) in fields.into_iter().zip(source.place.children) {
        if !object.contains_key(&name) {
            object.insert(name, value);
            children.push(place);
        }
    }
}

/// From a collection's first byte to its last: a block collection has no closing sign, so its last child ends it.
fn extent(start: &Span, end: &Span, style: StructureStyle, children: &[Place]) -> (usize, usize) {
    let first = bytes(start).0;
    let last = match style {
        StructureStyle::Flow => bytes(end).1,
        StructureStyle::Block => children.last().map_or(first, |child| child.value.1),
    };
    (first, last.max(first))
}

fn bytes(span: &Span) -> (usize, usize) {
    let byte = |marker: &granit_parser::Marker| marker.byte_offset().unwrap_or_else(|| marker.index());
    (byte(&span.start), byte(&span.end))
}
