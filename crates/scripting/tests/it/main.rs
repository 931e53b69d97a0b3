//! Scripts in real child processes.

mod databases;
mod hostile;
mod reach;
mod running;
mod support;
