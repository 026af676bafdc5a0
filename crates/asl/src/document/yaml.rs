//! YAML 1.2: the parser's events, made into a value and its places.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};
use serde_json::{Map, Value};

use super::{
    MAX_ALIAS_EXPANSION, MAX_DEPTH, json,
    place::{Lines, Place},
    scalar,
};
use crate::{Diagnostic, diagnostic::Problems, trail::Trail};

/// Parses a YAML text that holds one document.
pub(super) fn parse(text: &str, lines: &Lines) -> Result<(Value, Place, Vec<Diagnostic>), Vec<Diagnostic>> {
    let options = granit_parser::options! { emit_comments: false };
    let mut builder = Builder {
        events: Parser::new_from_str_with_options(text, options),
        text,
        lines,
        anchors: HashMap::new(),
        expansion: 0,
        problems: Problems::default(),
    };
    match builder.document() {
        Ok(node) => Ok((node.value, node.place, builder.problems.into_sorted())),
        Err(Stop) => Err(builder.problems.into_sorted()),
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
    problems: Problems,
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
                    self.problem("YAML_DOCUMENTS", "this is a second document", &Trail::at(""), &span, Some(help));
                    return Err(Stop);
                }
                event => root = Some(self.node(event, &span, &Trail::at(""), 0)?),
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

    fn node(&mut self, event: Event<'a>, span: &Span, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
        self.check_depth(depth, trail, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), trail, span);
                let (start, end) = bytes(span);
                let weight = text.len().saturating_add(1);
                (Node { value, place: Place::leaf(start, end), weight, height: 0 }, anchor)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "seq", trail, span);
                (self.sequence(span, style, trail, depth)?, anchor)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.collection_tag(tag.as_deref(), "map", trail, span);
                (self.mapping(span, style, trail, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.alias(anchor, span, trail)?;
                self.check_depth(depth.saturating_add(node.height), trail, span)?;
                (node, 0)
            }
            _ => {
                self.problem("INVALID_YAML", "a value is expected here", trail, span, None);
                return Err(Stop);
            }
        };
        if anchor != 0 {
            self.expand(node.weight, span, trail)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn check_depth(&mut self, depth: usize, trail: &Trail<'_>, span: &Span) -> Result<(), Stop> {
        if depth < MAX_DEPTH {
            return Ok(());
        }
        let message = format!("this is nested more than {MAX_DEPTH} deep");
        self.problem("DOCUMENT_TOO_DEEP", message, trail, span, None);
        Err(Stop)
    }

    fn sequence(&mut self, start: &Span, style: StructureStyle, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
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
            let inside = trail.index(items.len());
            let node = self.node(event, &span, &inside, depth.saturating_add(1))?;
            weight = weight.saturating_add(node.weight);
            height = node.height.saturating_add(1).max(height);
            items.push(node.value);
            children.push(node.place);
        }
    }

    fn mapping(&mut self, start: &Span, style: StructureStyle, trail: &Trail<'_>, depth: usize) -> Result<Node, Stop> {
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
            let (name, is_merge) = self.key(event, &key_span, trail)?;
            let inside = trail.key(&name);
            let (event, span) = self.event()?;
            let node = self.node(event, &span, &inside, depth.saturating_add(1))?;
            weight = weight.saturating_add(node.weight).saturating_add(name.len());
            height = node.height.saturating_add(1).max(height);
            if is_merge {
                merged.extend(self.merge_sources(node, &inside, &span)?);
            } else if object.contains_key(&name) {
                self.problems.push(json::duplicate_key(&name, trail, bytes(&key_span), self.lines));
            } else {
                object.insert(name, node.value);
                children.push(Place { key: Some(bytes(&key_span)), ..node.place });
            }
        }
    }

    /// A key is its text as written: `1: x` has the key `1`, `on: x` the key `on`.
    fn key(&mut self, event: Event<'a>, span: &Span, trail: &Trail<'_>) -> Result<(String, bool), Stop> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                self.collection_tag(tag.as_deref(), "str", trail, span);
                let is_merge = text == "<<" && style == ScalarStyle::Plain;
                Ok((text.into_owned(), is_merge))
            }
            Event::Alias(anchor) => match self.alias(anchor, span, trail)?.value {
                Value::String(text) => Ok((text, false)),
                _ => self.bad_key(span, trail),
            },
            _ => self.bad_key(span, trail),
        }
    }

    fn bad_key<T>(&mut self, span: &Span, trail: &Trail<'_>) -> Result<T, Stop> {
        let help =
            "JSON knows no other keys; an expression or a `${…}` at the beginning of a value has to be in quotes";
        self.problem("INVALID_YAML", "a key must be a string", trail, span, Some(help));
        Err(Stop)
    }

    /// What `<<` takes in: a mapping, or a sequence of them of which the first wins.
    fn merge_sources(&mut self, node: Node, trail: &Trail<'_>, span: &Span) -> Result<Vec<Node>, Stop> {
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
            self.problem("INVALID_YAML", "`<<` merges mappings only", trail, span, Some(help));
            return Err(Stop);
        }
        Ok(sources)
    }

    fn alias(&mut self, anchor: usize, span: &Span, trail: &Trail<'_>) -> Result<Node, Stop> {
        let Some(weight) = self.anchors.get(&anchor).map(|node| node.weight) else {
            self.problem("INVALID_YAML", "this alias is inside of what it stands for", trail, span, None);
            return Err(Stop);
        };
        self.expand(weight, span, trail)?;
        let Some(mut node) = self.anchors.get(&anchor).cloned() else { return Err(Stop) };
        node.place.value = bytes(span);
        Ok(node)
    }

    fn expand(&mut self, weight: usize, span: &Span, trail: &Trail<'_>) -> Result<(), Stop> {
        self.expansion = self.expansion.saturating_add(weight);
        if self.expansion <= MAX_ALIAS_EXPANSION {
            return Ok(());
        }
        let message = format!("aliases make this text more than {MAX_ALIAS_EXPANSION} bytes longer");
        self.problem("TOO_MANY_ALIASES", message, trail, span, Some("write out what is used, or use fewer aliases"));
        Err(Stop)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, trail: &Trail<'_>, span: &Span) -> Value {
        let string = || Value::String(text.to_owned());
        let resolved = match tag {
            None if style == ScalarStyle::Plain => scalar::resolve(text),
            None => Some(string()),
            Some(tag) => match tag.core_suffix() {
                Some("str") => Some(string()),
                Some("int" | "float" | "bool" | "null") => scalar::resolve(text),
                _ if is_non_specific(tag) => Some(string()),
                _ => {
                    self.unknown_tag(tag, trail, span);
                    Some(string())
                }
            },
        };
        resolved.unwrap_or_else(|| {
            let message = format!("JSON has no number `{text}`");
            self.problem("INVALID_YAML", message, trail, span, Some("put it in quotes if it is a string"));
            Value::Null
        })
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, suffix: &str, trail: &Trail<'_>, span: &Span) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(suffix) && !is_non_specific(tag)) {
            self.unknown_tag(tag, trail, span);
        }
    }

    fn unknown_tag(&mut self, tag: &Tag, trail: &Trail<'_>, span: &Span) {
        let help = "the States Language has no tags: write the value itself, in quotes if it begins with `!`";
        let message = format!("the tag `{}` is unknown", tag.original());
        self.problem("UNKNOWN_TAG", message, trail, span, Some(help));
    }

    fn problem(&mut self, code: &str, message: impl Into<String>, trail: &Trail<'_>, span: &Span, help: Option<&str>) {
        let (start, end) = bytes(span);
        let mut problem = Diagnostic::error(code, message).at(trail.to_string(), self.lines.span(start, end));
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
