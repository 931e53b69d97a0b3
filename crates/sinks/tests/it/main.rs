//! Sinks against what they speak to: an HTTP receiver, a strict stand-in for a cluster, a real NATS server, files.

mod bulk;
mod cluster;
mod file;
mod http;
mod jetstream;
mod support;
