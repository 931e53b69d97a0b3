//! Who may be called now, in order.
//!
//! Contacts lie under the bucket of the number that is dialled next, so a claim looks only at the buckets that are
//! open at this moment, and within each only at the first few: its cost does not depend on how long the lists are nor
//! on how much of them is closed.

mod claim;
mod merge;
mod screen;
mod supply;
mod why_not;

pub use claim::{ClaimRequest, Claimed, claim, return_claims};
pub(crate) use screen::Suppressed;
pub use supply::{Counts, Queue, Supply, buckets, close_expired, counts, queue, source_counts, supply};
pub use why_not::{PhoneFacts, SuppressedNumber, WhyNot, why_not};
