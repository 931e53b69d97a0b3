//! The API over real HTTP, on both databases.

mod access;
mod agent_session;
mod callbacks;
mod contacts;
mod definitions;
mod dialling;
mod documentation;
mod idempotency;
mod imports;
mod privacy;
mod problems;
mod streams;
mod support;
mod suppression;
