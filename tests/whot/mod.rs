//! The rules as a whole: vectors, the model, properties, and the commands that check recorded matches.

pub(crate) mod hidden;
mod model;
mod oracle;
mod properties;
pub(crate) mod random;
mod replay;
mod schema;
mod vectors;
