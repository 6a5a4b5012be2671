//! The commands of the box, one file each, thin: they read arguments and files, call the domains, and write a report.

pub mod replay;
