//! Whole calls over the wire.

mod faults;
mod moto;
mod support;
