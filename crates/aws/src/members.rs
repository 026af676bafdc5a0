//! The fields that an operation does not have, for those who look before it is called.

use serde_json::Value;

use crate::{
    Aws,
    call::has_source_region,
    model::{self, Node, Type},
    names::{self, capitalized, member_name},
    parameters::DEPTH,
};

/// The most fields that are told of.
const MOST: usize = 1_001;

/// A field among parameters that their operation does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its JSON pointer within the parameters.
    pub pointer: String,
    /// Its key, as it is written.
    pub key: String,
    /// The known field that was probably meant, as `aws-sdk` tasks name it.
    pub nearest: Option<String>,
}

impl Aws {
    /// The fields of `parameters`, at any depth, that an operation does not have; none where there is no such operation. Fields may
    /// have the API's own names (`ACL`) as well as those of `aws-sdk` tasks (`Acl`). `name_of` gives the name that a key stands for:
    /// templates mark some keys. What stands for a structure without being an object is not looked into. Of more than a thousand, the
    /// first are told.
    pub fn unknown_fields(
        service: &str,
        action: &str,
        parameters: &Value,
        name_of: fn(&str) -> &str,
    ) -> Vec<UnknownField> {
        let mut search = Search { name_of, found: Vec::new() };
        let Some(service) = model::service(service) else { return search.found };
        let Some((_, operation)) = service.operation(action) else { return search.found };
        let keys = parameters.as_object().into_iter().flat_map(serde_json::Map::keys);
        match service.node(operation.input.as_ref()) {
            Some(input) => search.value(input, parameters, "", 0),
            None => keys.take(MOST).for_each(|key| search.unknown("", key, None)),
        }
        if has_source_region(&service, operation) {
            search.found.retain(|field| field.pointer.rfind('/') != Some(0) || name_of(&field.key) != "SourceRegion");
        }
        search.found
    }
}

struct Search {
    name_of: fn(&str) -> &str,
    found: Vec<UnknownField>,
}

impl Search {
    fn value(&mut self, node: Node<'_>, value: &Value, pointer: &str, depth: usize) {
        if depth > DEPTH || node.shape.document || self.found.len() >= MOST {
            return;
        }
        match (node.r#type(), value) {
            (Type::Structure, Value::Object(given)) => {
                let members: Vec<_> =
                    node.members().map(|(own, member)| (member_name(own), capitalized(own), member)).collect();
                for (key, value) in given {
                    let name = (self.name_of)(key);
                    match members.iter().find(|(shown, own, _)| shown == name || own == name) {
                        Some((_, _, member)) => self.value(*member, value, &below(pointer, key), depth + 1),
                        None if self.found.len() >= MOST => return,
                        None => {
                            let nearest = names::nearest(name, members.iter().map(|(shown, ..)| shown.as_str()));
                            self.unknown(pointer, key, nearest.map(str::to_owned));
                        }
                    }
                }
            }
            (Type::List, Value::Array(items)) => {
                let Some(item) = node.item() else { return };
                for (at, value) in items.iter().enumerate() {
                    self.value(item, value, &format!("{pointer}/{at}"), depth + 1);
                }
            }
            (Type::Map, Value::Object(entries)) => {
                let Some(of) = node.map_value() else { return };
                for (key, value) in entries {
                    self.value(of, value, &below(pointer, key), depth + 1);
                }
            }
            _ => {}
        }
    }

    fn unknown(&mut self, pointer: &str, key: &str, nearest: Option<String>) {
        self.found.push(UnknownField { pointer: below(pointer, key), key: key.to_owned(), nearest });
    }
}

/// The pointer of a member.
fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(service: &str, action: &str, parameters: Value, expected: &[(&str, Option<&str>)]) {
        let found = Aws::unknown_fields(service, action, &parameters, |key| key.strip_suffix(".$").unwrap_or(key));
        let found: Vec<_> = found.iter().map(|field| (field.pointer.as_str(), field.nearest.as_deref())).collect();
        assert_eq!(found, expected, "{service}:{action} {parameters}");
    }

    #[test]
    fn unknown_fields_are_found_at_any_depth() {
        check("s3", "putBucketAcl", json!({"Bucket.$": "$.b", "ACL": "private", "Acl": "private"}), &[]);
        check("s3", "putBucketAcl", json!({"Buckt.$": "$.b"}), &[("/Buckt.$", Some("Bucket"))]);
        check("sfn", "startExecution", json!({"stateMachineArn": 1}), &[("/stateMachineArn", Some("StateMachineArn"))]);
        check("sts", "getCallerIdentity", json!({"a/b": 1}), &[("/a~1b", None)]);
        let tags = json!({"Filters": [{"Name": "a", "Value": "b"}, "{% $x %}"], "DryRun.$": "$.a"});
        check("ec2", "describeInstances", tags, &[("/Filters/0/Value", Some("Values"))]);
        let item = json!({"TableName": "t", "Item": {"a.b": {"SS": ["x"]}, "c": {"M": {"d": {"Q": 1}}}}});
        check("dynamodb", "putItem", item, &[("/Item/c/M/d/Q", Some("B"))]);
        check("s3", "putBucketAc", json!({"Bukket": 1}), &[]);
        check("s4", "putBucketAcl", json!({"Bukket": 1}), &[]);
    }

    #[test]
    fn only_so_many_are_told() {
        let many: serde_json::Map<_, _> = (0..MOST * 2).map(|each| (each.to_string(), json!(1))).collect();
        for (service, action) in [("s3", "putBucketAcl"), ("sts", "getCallerIdentity")] {
            let found = Aws::unknown_fields(service, action, &Value::Object(many.clone()), |key| key);
            assert_eq!(found.len(), MOST, "{service}");
        }
    }

    #[test]
    fn a_static_policy_begins_with_a_capital() {
        let definition = |of: Value| json!({"PolicyStoreId": "p", "Definition": of});
        let small = definition(json!({"static": {"Statement": "s"}}));
        check("verifiedpermissions", "createPolicy", small, &[("/Definition/static", Some("Static"))]);
        let capital = definition(json!({"Static": {"Statement": "s"}}));
        check("verifiedpermissions", "createPolicy", capital, &[]);
    }

    #[test]
    fn a_source_region_is_known_where_copies_need_it() {
        let parameters = || json!({"SourceRegion": "us-east-1"});
        check("rds", "copyDBSnapshot", parameters(), &[]);
        check("rds", "deleteDBSnapshot", parameters(), &[("/SourceRegion", None)]);
    }
}
