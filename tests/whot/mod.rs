//! The rules as a whole: vectors, the model, properties, and the commands that check recorded matches.

mod hidden;
mod model;
mod oracle;
mod properties;
mod random;
mod replay;
mod schema;
mod vectors;
