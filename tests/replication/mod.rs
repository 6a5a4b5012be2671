//! Replication to central, on a real PostgreSQL and on the model in memory.

mod compare;
mod courier;
mod driver;
mod far;
mod faults;
mod fixture;
mod fleet;
mod hostile;
mod invitations;
mod kind;
mod reconcile;
mod roles;
mod schema;
mod stalls;
mod suite;
mod tls;
mod whole;
