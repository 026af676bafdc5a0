//! Whole calls over the wire.

#[cfg(test)]
mod corrections;
mod environment;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod moto;
#[cfg(test)]
mod support;
