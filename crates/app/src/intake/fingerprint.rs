//! A hash of what a source says about a contact, to tell an unchanged record from an updated one.

use contacts::NewContact;
use engine::{GroupId, Time};

/// FNV-1a, offset basis and prime as published by Fowler, Noll and Vo. It must stay as it is: the values are stored.
struct Hash(u64);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// With the length before it, so that no two sequences of texts look alike.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn option(&mut self, number: Option<u64>) {
        self.number(u64::from(number.is_some()));
        self.number(number.unwrap_or_default());
    }
}

/// The fingerprint of a record: 63 bits, the same on every node and in every version. `expires_at` is the instant
/// that the record itself names: one that follows from the source's rules depends on when it was sent.
pub(super) fn of(contact: &NewContact, expires_at: Option<Time>, group: Option<GroupId>) -> i64 {
    let instant = |time: Option<Time>| time.map(|time| time.as_micros() as u64);
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    hash.text(&contact.fields_json);
    hash.number(u64::from(contact.priority));
    hash.option(instant(contact.not_before));
    hash.option(instant(expires_at));
    hash.text(contact.preferred_agent.as_deref().unwrap_or_default());
    hash.number(contact.phones.len() as u64);
    for phone in &contact.phones {
        hash.number(phone.number.digits());
        // Codes are small and not negative.
        hash.number(phone.kind.code() as u64);
        hash.option(phone.attempts_max.map(u64::from));
        hash.option(phone.caller_id.map(|number| number.digits()));
        hash.option(
            phone
                .window
                .map(|window| (u64::from(window.from_minute()) << 16) | u64::from(window.until_minute())),
        );
        for zone in phone.zones.zones() {
            hash.text(zone.name());
        }
    }
    // What is not said adds nothing, so that the fingerprints of records that never said it stay as they are.
    if let Some(tag) = &contact.tag {
        hash.text(tag);
    }
    if let Some(group) = group {
        hash.bytes(group.0.as_bytes());
    }
    (hash.0 >> 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use contacts::{RawContact, Rules, ZonePolicy, normalise};

    fn contact(json: &str) -> NewContact {
        let rules = Rules {
            default_country: None,
            fields: vec![],
            zone_policy: ZonePolicy::Reject,
            default_expiry: None,
            default_expires_at: None,
        };
        normalise(RawContact::from_json(json).unwrap(), &rules, Time::from_micros(1)).unwrap()
    }

    const PLAIN: &str = r#"{"external_id": "1", "phones": [{"number": "+33123456789"}]}"#;

    #[test]
    fn equal_content_has_equal_fingerprints_however_it_is_written() {
        let other = r#"{"phones": [{"number": "+33 1 23 45 67 89"}], "external_id": 1, "priority": "50"}"#;
        assert_eq!(of(&contact(PLAIN), None, None), of(&contact(other), None, None));
        assert!(of(&contact(PLAIN), None, None) >= 0);
    }

    #[test]
    fn every_part_of_the_content_counts() {
        let changed = [
            r#"{"external_id": "1", "phones": [{"number": "+33123456780"}]}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789", "kind": "mobile"}]}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789", "attempts_max": 2}]}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789", "window": {"from": "09:00"}}]}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789"}], "zone": "Europe/Berlin"}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789"}], "priority": 51}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789"}], "preferred_agent": "Zoé"}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789"}], "not_before": "2026-01-01"}"#,
            r#"{"external_id": "1", "phones": [{"number": "+33123456789"}], "tag": "May"}"#,
        ];
        let plain = of(&contact(PLAIN), None, None);
        for json in changed {
            assert_ne!(of(&contact(json), None, None), plain, "{json}");
        }
        assert_ne!(of(&contact(PLAIN), Some(Time::from_micros(5)), None), plain);
    }
}
