//! The interpreter of rule sets: trees of rules, the first whose conditions hold.

use serde_json::{Map, Value};

use super::{Endpoint, functions};

/// Trees, calls and templates within each other at most; AWS's own need 20.
const DEPTH: usize = 100;

/// The endpoint that the rules say for these parameters, or their error.
pub(super) fn evaluate(set: &Value, partitions: &Value, mut given: Map<String, Value>) -> Result<Endpoint, String> {
    let declared = set.get("parameters").and_then(Value::as_object).into_iter().flatten();
    let mut scope = Map::new();
    for (name, parameter) in declared {
        let value = given.remove(name).or_else(|| parameter.get("default").cloned());
        match value {
            Some(value) => drop(scope.insert(name.clone(), value)),
            None if parameter.get("required") == Some(&Value::Bool(true)) => {
                return Err(format!("the endpoint rules need `{name}`"));
            }
            None => {}
        }
    }
    let rules = Rules { partitions };
    rules.first(set.get("rules"), &scope, 0)?.ok_or_else(|| "no endpoint rule fits".to_owned())
}

struct Rules<'a> {
    partitions: &'a Value,
}

impl Rules<'_> {
    fn first(
        &self,
        rules: Option<&Value>,
        scope: &Map<String, Value>,
        depth: usize,
    ) -> Result<Option<Endpoint>, String> {
        if depth > DEPTH {
            return Err("the endpoint rules nest too deep".to_owned());
        }
        for rule in rules.and_then(Value::as_array).into_iter().flatten() {
            let mut scope = scope.clone();
            if !self.holds(rule, &mut scope, depth)? {
                continue;
            }
            if let Some(endpoint) = rule.get("endpoint") {
                return self.endpoint(endpoint, &scope, depth).map(Some);
            }
            if let Some(error) = rule.get("error") {
                return Err(text(&self.value(error, &scope, depth)?));
            }
            // A tree whose conditions held is the answer: no later rule is looked at.
            let found = self.first(rule.get("rules"), &scope, depth + 1)?;
            return found.map(Some).ok_or_else(|| "no endpoint rule fits".to_owned());
        }
        Ok(None)
    }

    fn holds(&self, rule: &Value, scope: &mut Map<String, Value>, depth: usize) -> Result<bool, String> {
        for condition in rule.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            let value = self.value(condition, scope, depth + 1)?;
            if matches!(value, Value::Null | Value::Bool(false)) {
                return Ok(false);
            }
            if let Some(name) = condition.get("assign").and_then(Value::as_str) {
                scope.insert(name.to_owned(), value);
            }
        }
        Ok(true)
    }

    /// References, calls, templates within strings, and these within objects and arrays. What is not set is null.
    fn value(&self, expression: &Value, scope: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        if depth > DEPTH {
            return Err("the endpoint rules nest too deep".to_owned());
        }
        match expression {
            Value::String(template) => self.template(template, scope).map(Value::String),
            Value::Array(items) => items.iter().map(|item| self.value(item, scope, depth + 1)).collect(),
            Value::Object(entries) => {
                if let Some(name) = entries.get("ref").and_then(Value::as_str) {
                    return Ok(scope.get(name).cloned().unwrap_or_default());
                }
                if let Some(function) = entries.get("fn").and_then(Value::as_str) {
                    let arguments = entries.get("argv").and_then(Value::as_array).into_iter().flatten();
                    let arguments: Vec<Value> =
                        arguments.map(|each| self.value(each, scope, depth + 1)).collect::<Result<_, _>>()?;
                    return functions::call(function, &arguments, self.partitions);
                }
                let entries = entries.iter().map(|(key, each)| Ok((key.clone(), self.value(each, scope, depth + 1)?)));
                Ok(Value::Object(entries.collect::<Result<_, String>>()?))
            }
            other => Ok(other.clone()),
        }
    }

    /// `https://{Bucket}.{PartitionResult#dnsSuffix}`; doubled braces stand for themselves.
    fn template(&self, template: &str, scope: &Map<String, Value>) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            out.push_str(before);
            if let Some(after) = after.strip_prefix("{{") {
                out.push('{');
                rest = after;
            } else if let Some(after) = after.strip_prefix("}}") {
                out.push('}');
                rest = after;
            } else {
                let (name, after) =
                    after.strip_prefix('{').and_then(|after| after.split_once('}')).ok_or("an unbalanced brace")?;
                let (name, path) = name.split_once('#').map_or((name, None), |(name, path)| (name, Some(path)));
                let value = scope.get(name).cloned().unwrap_or_default();
                out.push_str(&text(&path.map_or(value.clone(), |path| functions::get_attr(&value, path))));
                rest = after;
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn endpoint(&self, endpoint: &Value, scope: &Map<String, Value>, depth: usize) -> Result<Endpoint, String> {
        let part = |name: &str| self.value(endpoint.get(name).unwrap_or(&Value::Null), scope, depth + 1);
        let headers = part("headers")?;
        let headers = headers.as_object().into_iter().flatten().filter_map(|(name, values)| {
            let values: Vec<&str> = values.as_array()?.iter().filter_map(Value::as_str).collect();
            Some((name.clone(), values.join(",")))
        });
        let properties = part("properties")?;
        let schemes = properties.get("authSchemes").and_then(Value::as_array);
        // Where several schemes are offered, the simplest.
        let scheme = schemes.and_then(|schemes| {
            schemes
                .iter()
                .find(|scheme| scheme.get("name").is_some_and(|name| name == "sigv4"))
                .or_else(|| schemes.first())
        });
        let set = scheme.and_then(|scheme| scheme.get("signingRegionSet")).and_then(Value::as_array);
        let set = set.map(|set| set.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        let of_scheme = |name: &str| scheme?.get(name)?.as_str().map(str::to_owned);
        Ok(Endpoint {
            url: text(&part("url")?).trim_end_matches('/').to_owned(),
            headers: headers.collect(),
            scheme: of_scheme("name"),
            signing_name: of_scheme("signingName"),
            signing_region: of_scheme("signingRegion"),
            region_set: set,
        })
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::protocol::differential;

    #[test]
    fn as_botocore_has_it() {
        let Some(folder) = differential::botocore() else { return };
        let made = Command::new(differential::python())
            .arg(differential::script())
            .args(["endpoints", &folder])
            .args(differential::services())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let lines: Vec<Value> =
            made.stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let mut wrong = Vec::new();
        for line in &lines {
            let set = crate::endpoint::rule_set(line["id"].as_str().unwrap()).unwrap();
            let ours = evaluate(&set.rules, &set.partitions, line["given"].as_object().unwrap().clone());
            let same = match (&ours, line["url"].as_str()) {
                (Ok(ours), Some(url)) => {
                    let schemes = line["schemes"].as_array().unwrap();
                    let sigv4 = schemes.iter().find(|scheme| scheme["name"] == "sigv4").or(schemes.first());
                    let part = |name: &str| sigv4.and_then(|scheme| scheme.get(name)).and_then(Value::as_str);
                    ours.url == url
                        && ours.scheme.as_deref() == part("name")
                        && ours.signing_name.as_deref() == part("signingName")
                        && ours.signing_region.as_deref() == part("signingRegion")
                }
                (Err(_), None) => true,
                _ => false,
            };
            if !same {
                wrong.push(format!("{line}: {ours:?}"));
            }
        }
        println!("{} endpoints, {} differ", lines.len(), wrong.len());
        assert!(lines.len() > 2_000 && wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
