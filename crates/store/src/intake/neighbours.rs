//! Contacts that can be called at the same hours are stored side by side.

use std::collections::HashMap;

use engine::{BucketId, ContactId};

use super::IntakeBatch;

/// Records from which on it is worth while. Fewer lie on some tens of pages whatever their order.
const RECORDS_MIN: usize = 500;

/// Gives the ids of a large batch's records anew among them, so that contacts whose first numbers can be called at the
/// same hours have ids that follow each other. As rows are written in the order of their ids, a claim at an hour at
/// which little is open then touches few pages, instead of one for each contact: see docs/benchmarks.md, "feed".
///
/// Row, order of dialling and everything else stay. To be called before anybody has been told an id.
pub fn make_neighbours(batch: &mut IntakeBatch) {
    if batch.records.len() < RECORDS_MIN {
        return;
    }
    let spans: HashMap<BucketId, _> =
        batch.buckets.iter().map(|bucket| (bucket.id(), bucket.span(batch.now))).collect();
    let mut ids: Vec<ContactId> = batch.records.iter().map(|record| record.id).collect();
    ids.sort_unstable();
    let mut places: Vec<usize> = (0..batch.records.len()).collect();
    places.sort_by_key(|place| {
        let bucket = batch.records[*place].phones.first().map(|phone| phone.bucket);
        (bucket.and_then(|bucket| spans.get(&bucket)), bucket)
    });
    for (place, id) in places.into_iter().zip(ids) {
        batch.records[place].id = id;
    }
}

#[cfg(test)]
mod tests {
    use engine::{
        Bucket, CampaignId, FeedOrder, PhoneKind, PhoneNumber, SourceId, TenantId, Time, Zone, ZoneSet,
    };
    use uuid::Uuid;

    use super::super::{DuplicateScope, IntakePhone, IntakeRecord};
    use super::*;

    /// As many records, their zones by turns.
    fn batch(records: u64, zones: &[&str]) -> IntakeBatch {
        let bucket =
            |zone: &&str| Bucket { zones: ZoneSet::one(zone.parse::<Zone>().expect("a zone")), window: None };
        let buckets: Vec<Bucket> = zones.iter().map(bucket).collect();
        let record = |row: u64| IntakeRecord {
            row,
            id: ContactId(Uuid::from_u128(u128::from(row) + 1)),
            external_id: row.to_string(),
            phones: vec![IntakePhone {
                number: PhoneNumber::from_digits(33_100_000_000 + row).expect("a number"),
                kind: PhoneKind::Mobile,
                attempts_max: None,
                caller_id: None,
                bucket: buckets[row as usize % buckets.len()].id(),
            }],
            fields_json: "{}".into(),
            priority: 50,
            not_before: None,
            expires_at: None,
            preferred_agent: None,
            fingerprint: 0,
            callback: false,
            urgent: false,
            group: None,
            tag: None,
            created_at: None,
        };
        IntakeBatch {
            tenant: TenantId(Uuid::nil()),
            campaign: CampaignId(Uuid::nil()),
            source: SourceId(Uuid::nil()),
            import: None,
            now: Time::from_micros(1_790_000_000_000_000),
            order: FeedOrder::OldestFirst,
            duplicate_scope: DuplicateScope::None,
            suppression_lists: Vec::new(),
            records: (0..records).map(record).collect(),
            buckets,
        }
    }

    #[test]
    fn contacts_of_one_zone_follow_each_other_from_east_to_west_and_in_order() {
        let zones = ["America/Los_Angeles", "Europe/Paris", "America/New_York"];
        let mut batch = batch(600, &zones);
        make_neighbours(&mut batch);
        let mut by_id: Vec<_> = batch.records.iter().map(|record| (record.id, record.row)).collect();
        by_id.sort_unstable();
        let rows: Vec<u64> = by_id.iter().map(|(_, row)| *row).collect();
        let of_zone = |zone: u64| (0..600).filter(move |row| row % 3 == zone);
        assert_eq!(rows, of_zone(1).chain(of_zone(2)).chain(of_zone(0)).collect::<Vec<_>>());
        let ids: Vec<_> = by_id.iter().map(|(id, _)| id.0.as_u128()).collect();
        assert_eq!(ids, (1..=600).collect::<Vec<_>>());
    }

    #[test]
    fn a_small_batch_keeps_the_ids_of_its_rows() {
        let mut batch = batch(499, &["America/Los_Angeles", "Europe/Paris"]);
        let before = batch.records.clone();
        make_neighbours(&mut batch);
        assert_eq!(batch.records, before);
    }
}
