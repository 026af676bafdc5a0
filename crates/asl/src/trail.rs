//! The way to a part of a value, written out as a JSON pointer only when somebody asks.

use std::fmt;

/// A link of the way: what is around, and the step into it.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'t> {
    around: Option<&'t Trail<'t>>,
    step: Step<'t>,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Pointer(&'t str),
    Key(&'t str),
    Index(usize),
}

impl<'t> Trail<'t> {
    /// The way that begins at a pointer.
    pub(crate) fn at(pointer: &'t str) -> Trail<'t> {
        Trail { around: None, step: Step::Pointer(pointer) }
    }

    pub(crate) fn key(&'t self, key: &'t str) -> Trail<'t> {
        Trail { around: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'t self, index: usize) -> Trail<'t> {
        Trail { around: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Trail<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(around) = self.around {
            around.fmt(formatter)?;
        }
        match self.step {
            Step::Pointer(pointer) => formatter.write_str(pointer),
            Step::Key(key) => write!(formatter, "/{}", crate::document::escape(key)),
            Step::Index(index) => write!(formatter, "/{index}"),
        }
    }
}
