//! What is kept besides the contacts' way through the engine, on both databases.

mod attempts;
mod audit;
mod caller_ids;
mod contacts;
mod definitions;
mod idempotency;
mod imports;
mod keys;
mod messages;
mod schedules;
mod scripts;
mod short_numbers;
mod supervisions;
mod support;
mod suppression;
mod tenants;
mod users;
