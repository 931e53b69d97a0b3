//! Use cases from end to end, on both databases.

mod harness;
mod imports;
mod intake;
mod plans;
