//! Vendors' words, a folder for each vendor, and nowhere else.

pub(crate) mod cxone;
pub(crate) mod nixxis;
mod ocs;

use std::sync::Arc;

use app::model::SinkFormat;
use app::sinks::{Format, Formats};

use crate::endpoint::Api;

/// The operations that speak in vendors' words.
pub(crate) fn routes(api: Api) -> Api {
    nixxis::routes(cxone::routes(api))
}

/// The words in which sinks can be told, besides Outdial's own.
pub fn sink_formats() -> Formats {
    let ocs: Arc<dyn Format> = Arc::new(ocs::Ocs);
    Formats::from([(SinkFormat::Ocs, ocs)])
}
