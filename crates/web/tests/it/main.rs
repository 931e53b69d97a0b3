//! The API over real HTTP, on both databases.

mod access;
mod agent_session;
mod callbacks;
mod caller_ids;
mod campaign_group_status;
mod contacts;
mod context_data;
mod create_prospects;
mod definitions;
mod dialling;
mod documentation;
mod idempotency;
mod imports;
mod messages;
mod modes;
mod pages;
mod plans;
mod privacy;
mod problems;
mod receiver;
mod schedule_callback;
mod scripts;
mod sinks;
mod streams;
mod support;
mod suppression;
