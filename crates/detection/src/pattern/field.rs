//! An event as a flat list of its values, naively.

use serde_json::Value;

use super::Membership;

/// A scalar of an event.
#[derive(Debug)]
pub(super) struct Field<'event> {
    /// The keys on the way to it, joined by dots.
    pub path: String,
    pub value: &'event Value,
    pub membership: Membership,
}

/// Every scalar of an event. Arrays and objects without scalars leave nothing: an empty array is as good as absent.
pub(super) fn flatten(event: &Value) -> Vec<Field<'_>> {
    let mut flattener = Flattener { fields: Vec::new(), arrays: 0 };
    flattener.value(event, None, &Membership::default());
    flattener.fields
}

struct Flattener<'event> {
    fields: Vec<Field<'event>>,
    arrays: usize,
}

impl<'event> Flattener<'event> {
    fn value(&mut self, value: &'event Value, path: Option<&str>, membership: &Membership) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let path = path.map_or_else(|| key.clone(), |path| format!("{path}.{key}"));
                    self.value(value, Some(&path), membership);
                }
            }
            Value::Array(elements) => {
                let array = self.arrays;
                self.arrays += 1;
                for (index, element) in elements.iter().enumerate() {
                    if element.is_object() || element.is_array() {
                        self.value(element, path, &membership.with(array, index));
                    } else {
                        self.value(element, path, membership);
                    }
                }
            }
            scalar => self.fields.push(Field {
                path: path.unwrap_or_default().to_owned(),
                value: scalar,
                membership: membership.clone(),
            }),
        }
    }
}
