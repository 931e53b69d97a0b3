//! Scripts in real child processes.

mod hostile;
mod reach;
mod running;
mod support;
