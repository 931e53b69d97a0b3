//! The program as its users start it, met through its doors.

mod check_config;
mod detected;
mod feed_scripts;
mod five_doors;
mod server_scripts;
mod support;
