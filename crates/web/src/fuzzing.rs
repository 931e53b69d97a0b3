//! Doors for fuzzing: what outsiders send, from its bytes on. `fuzz/` has the targets; the tests here run the same over
//! what a generator makes of good documents.

use crate::dialects::cxone::prospects;
use crate::dialects::nixxis::xml;

/// Whether these bytes are a `<contextdata>` document; nothing they are may do harm.
pub fn context_data(bytes: &[u8]) -> bool {
    match xml::read(bytes) {
        Ok(data) => {
            // What is read can be written, and reads back.
            let again = xml::read(xml::write(&data).as_bytes());
            again.is_ok()
        }
        Err(_) => false,
    }
}

/// Whether these bytes are a request to create prospects.
pub fn prospects(bytes: &[u8]) -> bool {
    prospects::is_request(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOCUMENT: &str = "<?xml version=\"1.0\"?><contextdata><campaigndata><Name>A &amp; B</Name><PhoneNumber>012</PhoneNumber>\
        </campaigndata><systemdata xmlns:xsi=\"x\"><CurrentActivity xsi:nil=\"true\" /><State>15</State></systemdata></contextdata>";
    const REQUEST: &str = r#"{"sourceName": "Leads", "noTimeZoneReject": "Yes", "timeZone": "Europe/Paris",
        "data": [{"Id": 1, "Mobile": "+33123456789", "x": null}]}"#;

    /// A good text with pieces of it moved, doubled, cut and overwritten.
    fn damaged(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
        prop::collection::vec(change, 0..12).prop_map(move |changes| {
            let mut bytes = text.as_bytes().to_vec();
            for (from, to, byte, kind) in changes {
                if bytes.is_empty() {
                    break;
                }
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                match kind {
                    0 => bytes[from] = byte,
                    1 => bytes.truncate(to.max(1)),
                    2 => drop(bytes.splice(to..to, piece)),
                    _ => drop(bytes.drain(from.min(to)..from.max(to).min(from.min(to) + 20))),
                }
                bytes.truncate(10_000);
            }
            bytes
        })
    }

    #[test]
    fn the_good_ones_are_good() {
        assert!(context_data(DOCUMENT.as_bytes()));
        assert!(prospects(REQUEST.as_bytes()));
    }

    proptest! {
        #[test]
        fn no_document_does_harm(bytes in damaged(DOCUMENT)) {
            let was_read = xml::read(&bytes).is_ok();
            prop_assert_eq!(context_data(&bytes), was_read, "what was read must read back when it is written");
        }

        #[test]
        fn no_request_does_harm(bytes in damaged(REQUEST)) {
            let _ = prospects(&bytes);
        }

        #[test]
        fn no_bytes_at_all_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = (context_data(&bytes), prospects(&bytes));
        }
    }
}
