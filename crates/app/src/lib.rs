//! The use cases of Outdial: the only place where the parts meet.

mod error;
pub mod floor;
mod ids;

use std::sync::Arc;

pub use error::AppError;
pub use ids::Ids;

use floor::Floor;
use store::Store;
use telephony::Clock;

/// Outdial as one process runs it. Every use case starts here.
pub struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    /// Campaign groups, agents and calls.
    pub floor: Floor,
}
