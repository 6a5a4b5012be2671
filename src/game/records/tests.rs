//! The golden bytes of each record.
