//! What tests need of the world.

pub(crate) mod moto;
pub(crate) mod receiver;
mod response;
