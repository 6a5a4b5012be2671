//! Change batches to PostgreSQL.
