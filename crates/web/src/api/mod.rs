//! The native API: one file for each family of resources.

mod access;
mod agent_session;
mod attempts;
mod audit;
mod callbacks;
mod contacts;
mod definitions;
mod events;
mod groups;
mod imports;
mod live;
mod messages;
mod plans;
mod recordings;
mod scripts;
mod sinks;
mod suppression;
mod telephones;

pub(crate) use contacts::number_in_query;

use crate::endpoint::Api;

/// Everything that is answered within a moment.
pub(crate) fn ordinary(api: Api) -> Api {
    let api = definitions::all(api);
    let api = access::routes(api);
    let api = groups::routes(api);
    let api = events::routes(api);
    let api = live::routes(api);
    let api = contacts::routes(api);
    let api = imports::routes(api);
    let api = suppression::routes(api);
    let api = attempts::routes(api);
    let api = callbacks::routes(api);
    let api = sinks::routes(api);
    let api = scripts::routes(api);
    let api = plans::routes(api);
    let api = messages::routes(api);
    let api = telephones::routes(api);
    let api = recordings::routes(api);
    audit::routes(api)
}

/// What lasts: streams, sessions, uploads.
pub(crate) fn lasting(api: Api) -> Api {
    let api = events::streams(api);
    let api = live::streams(api);
    let api = imports::transfers(api);
    let api = recordings::transfers(api);
    agent_session::routes(api)
}
