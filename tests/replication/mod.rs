//! Replication to central, on a real PostgreSQL and on the model in memory.

mod citus;
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
mod layouts;
mod reconcile;
mod roles;
mod schema;
mod stalls;
mod suite;
mod tls;
mod versions;
mod whole;
