//! Parameters that `http:invoke` and `apigateway:invoke` have in common.

use asl::integration::ParameterProblem;
use aws::escape;
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::Failure;

/// The methods that both take.
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

/// The parameters of a Task with this Resource, each by its name.
pub(super) struct Parameters<'a> {
    resource: &'static str,
    all: &'a Value,
    given: &'a Map<String, Value>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(resource: &'static str, all: &'a Value, known: &[&str]) -> Result<Parameters<'a>, Failure> {
        let Value::Object(given) = all else { return Err(Failure::no_object(all)) };
        let unknown = given.keys().filter(|key| !known.contains(&key.as_str()));
        let problems: Vec<ParameterProblem> = unknown.cloned().map(ParameterProblem::Unsupported).collect();
        if problems.is_empty() {
            Ok(Parameters { resource, all, given })
        } else {
            Err(Failure::unusable(all, &problems))
        }
    }

    pub(super) fn wrong(&self, why: &str) -> Failure {
        Failure::runtime(format!("the parameters of `{}` can't be used: {why}", self.resource))
    }

    fn invalid(&self, name: &str) -> Failure {
        Failure::unusable(self.all, &[ParameterProblem::Invalid(name.to_owned())])
    }

    /// What is not there and null are the same.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(name)),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, Failure> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| Failure::unusable(self.all, &[ParameterProblem::Missing(name.to_owned())]))
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(entries)) => Ok(Some(entries)),
            Some(_) => Err(self.invalid(name)),
        }
    }

    pub(super) fn method(&self) -> Result<&'a str, Failure> {
        let method = self.required("Method")?;
        if METHODS.contains(&method) {
            return Ok(method);
        }
        Err(self.wrong(&format!("`Method` must be one of {}", METHODS.join(", "))))
    }

    /// Names and values: a list's are several of one name.
    pub(super) fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, Failure> {
        let mut pairs = Vec::new();
        for (key, value) in self.object(name)?.into_iter().flatten() {
            let values = match value {
                Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values.iter().filter(|value| !value.is_null()) {
                let text = plain(value)
                    .ok_or_else(|| self.wrong(&format!("`{name}.{key}` must be a string or a list of strings")))?;
                pairs.push((key.clone(), text));
            }
        }
        Ok(pairs)
    }

    /// `Headers`, less those that `reserved` names.
    pub(super) fn headers(&self, reserved: fn(&str) -> bool) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
        let pairs = self.pairs("Headers")?;
        let headers = pairs.into_iter().map(|(name, value)| {
            if reserved(&name.to_ascii_lowercase()) {
                return Err(self.wrong(&format!("the header `{name}` can't be set by a Task")));
            }
            header(&name, &value).ok_or_else(|| self.wrong(&format!("the header `{name}` or its value is no header")))
        });
        headers.collect()
    }
}

/// A header; `None` where it has characters that none takes.
pub(super) fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
}

/// Strings, numbers and booleans as text.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A URL with these added to its query.
pub(super) fn with_query(url: &str, query: &[(String, String)]) -> String {
    let mut url = url.to_owned();
    for (name, value) in query {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(&format!("{}={}", escape(name), escape(value)));
    }
    url
}
