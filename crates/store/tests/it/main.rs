//! What the store promises, on both databases.

mod changes;
mod database;
mod events;
mod feed;
mod fixture;
mod intake;
mod lease;
mod nothing_lost;
mod recordings;
mod recovery;
mod sinks;
mod verify;
