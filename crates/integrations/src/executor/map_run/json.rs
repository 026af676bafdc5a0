//! JSON: the elements of an array, the fields of an object, one after another while the file is read.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    Cause,
    format::Take,
    unpack::{Content, Meter},
};

/// Hands over each item, from where the JSON Pointer leads to, until `take` wants no more.
pub(super) fn parse(body: Content, pointer: Option<&str>, take: Take<'_>) -> Result<(), Cause> {
    let nowhere = || format!("The ItemsPointer '{}' leads to nothing in the file.", pointer.unwrap_or_default());
    let path = match pointer {
        None | Some("") => Vec::new(),
        Some(pointer) => {
            let names = pointer.strip_prefix('/').ok_or_else(nowhere)?.split('/');
            names.map(|name| name.replace("~1", "/").replace("~0", "~")).collect()
        }
    };
    let (meter, found) = (body.meter.clone(), Cell::new(Found::Nothing));
    let mut deserializer = serde_json::Deserializer::from_reader(body);
    let items = Items { path: &path, take, meter: &meter, found: &found };
    let read = items.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (found.get(), read) {
        (Found::Enough, _) => Ok(()),
        (_, Err(error)) => Err(format!("The file is not JSON: {error}.")),
        (Found::Nothing, Ok(())) => Err(nowhere()),
        (Found::NoItems, Ok(())) => Err("Attempting to map over non-iterable node.".to_owned()),
        (Found::Items, Ok(())) => Ok(()),
    }
}

/// What the pointer led to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Neither an array nor an object.
    NoItems,
    Items,
    /// Items, and nobody wants any more.
    Enough,
}

/// A value, in which the items are where `path` leads to.
struct Items<'a, 'take> {
    path: &'a [String],
    take: Take<'take>,
    meter: &'a Meter,
    found: &'a Cell<Found>,
}

impl Items<'_, '_> {
    fn begin(&self) {
        self.found.set(Found::Items);
        self.meter.begin();
    }

    fn give<E: Error>(&mut self, value: Value, key: Option<String>) -> Result<(), E> {
        if (self.take)(value, key, self.meter.item()) {
            return Ok(());
        }
        self.found.set(Found::Enough);
        Err(E::custom("nobody wants any more"))
    }

    fn is_sought(&self) -> bool {
        self.found.get() == Found::Nothing
    }

    fn within<'b>(&'b mut self, path: &'b [String]) -> Items<'b, 'b> {
        Items { path, take: &mut *self.take, meter: self.meter, found: self.found }
    }

    fn scalar<E>(self) -> Result<(), E> {
        if self.path.is_empty() {
            self.found.set(Found::NoItems);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Items<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let Some((name, rest)) = self.path.split_first() else {
            self.begin();
            while let Some(value) = elements.next_element()? {
                self.give(value, None)?;
            }
            self.meter.end();
            return Ok(());
        };
        let sought = name.parse::<usize>().ok();
        for index in 0_usize.. {
            let more = match sought == Some(index) && self.is_sought() {
                true => elements.next_element_seed(self.within(rest))?.is_some(),
                false => elements.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        let Some((name, rest)) = self.path.split_first() else {
            self.begin();
            while let Some((key, value)) = fields.next_entry()? {
                self.give(value, Some(key))?;
            }
            self.meter.end();
            return Ok(());
        };
        while let Some(key) = fields.next_key::<String>()? {
            match key == *name && self.is_sought() {
                true => fields.next_value_seed(self.within(rest))?,
                false => _ = fields.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.scalar()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.scalar()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.scalar()
    }
}
