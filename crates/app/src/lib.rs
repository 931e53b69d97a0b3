//! The use cases of Outdial: the only place where the parts meet.

mod error;

pub use error::AppError;
