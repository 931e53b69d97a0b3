//! Contacts as people look at them.

use engine::{
    Band, BucketId, CampaignId, ContactId, FeedOrder, FinalReason, GroupId, Phone, PhoneKind, PhoneStatus,
    Rank, SourceId,
};
use serde_json::json;
use store::records::contacts::{self, Closing, Contact, ContactFilter, FeedState, Reopening};
use store::{StoreError, Tx, values};

use crate::support::{Database, all_pages, at, id, number, on_both_databases, tenant, two_tenants};

const CAMPAIGN: u64 = 20;
const SOURCE: u64 = 30;

fn contact_id(n: u64) -> ContactId {
    ContactId(id(n))
}

fn phone(position: u8, n: u64) -> Phone {
    Phone {
        position,
        number: number(n),
        kind: PhoneKind::Mobile,
        status: PhoneStatus::Active,
        attempts: 0,
        attempts_max: Some(3),
        caller_id: Some(number(999)),
        bucket: BucketId(40 + i64::from(position)),
    }
}

fn contact(of: u64, n: u64) -> Contact {
    Contact {
        id: contact_id(n),
        tenant: tenant(of),
        campaign: CampaignId(id(CAMPAIGN)),
        group: n.is_multiple_of(2).then_some(GroupId(id(60))),
        tag: Some("May".to_owned()),
        source: SourceId(id(SOURCE)),
        external_id: format!("C-{n}"),
        fields: json!({"first_name": "Zoë", "balance": "12.50"}),
        priority: 50,
        created_at: at(1),
        updated_at: at(2),
        import: None,
        feed_state: FeedState::Ready,
        bucket: BucketId(40),
        rank: Rank::new(Band::Fresh, 50, FeedOrder::OldestFirst, n),
        next_at: at(1),
        expires_at: None,
        next_phone: 0,
        is_callback: false,
        preferred_agent: None,
        attempts: 0,
        last_result: None,
        last_result_in_a_row: 0,
        last_attempt_at: None,
        final_reason: None,
        claimed_by: None,
        phones: vec![phone(0, 100 + n), phone(1, 500)],
    }
}

/// Writes the rows as they are, so that these tests depend on no other part of the store.
fn insert(tx: &mut Tx<'_>, contact: &Contact) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO contact (id, tenant_id, campaign_id, source_id, external_id, fields, priority, sequence,
             created_at, updated_at, import_id, fingerprint, feed_state, bucket_id, rank, next_at, expires_at,
             next_phone, is_callback, preferred_agent, attempts, last_result, last_result_in_a_row, last_attempt_at,
             final_reason, claimed_by, lane_id, tag)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, 0, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
             $21, $22, $23, $24, $25, $26)",
        &values![
            contact.id,
            contact.tenant,
            contact.campaign,
            contact.source,
            contact.external_id.as_str(),
            contact.fields.to_string(),
            contact.priority,
            contact.created_at,
            contact.updated_at,
            contact.import,
            contact.feed_state.code(),
            contact.bucket,
            contact.rank,
            contact.next_at,
            contact.expires_at,
            contact.next_phone,
            contact.is_callback,
            contact.preferred_agent,
            contact.attempts,
            contact.last_result.map(engine::CallResult::code),
            contact.last_result_in_a_row,
            contact.last_attempt_at,
            contact.final_reason.map(FinalReason::code),
            contact.claimed_by,
            contact.group.map_or(contact.campaign.0, |group| group.0),
            contact.tag.as_ref()
        ],
    )?;
    tx.execute(
        "INSERT INTO contact_key (source_id, external_id, contact_id) VALUES ($1, $2, $3)",
        &values![contact.source, contact.external_id.as_str(), contact.id],
    )?;
    for phone in &contact.phones {
        tx.execute(
            "INSERT INTO phone (contact_id, position, number, kind, status, attempts, attempts_max, caller_id,
                 bucket_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &values![
                contact.id,
                phone.position,
                phone.number,
                phone.kind.code(),
                phone.status.code(),
                phone.attempts,
                phone.attempts_max,
                phone.caller_id,
                phone.bucket
            ],
        )?;
    }
    Ok(())
}

fn store_all(database: &Database, contacts: Vec<Contact>) {
    database.write(move |tx| contacts.iter().try_for_each(|contact| insert(tx, contact))).unwrap();
}

fn stored(database: &Database, n: u64) -> Contact {
    database.read(move |tx| contacts::get(tx, tenant(1), contact_id(n))).unwrap().unwrap()
}

fn paged(database: &Database, of: u64, filter: ContactFilter, limit: u32) -> Vec<Contact> {
    all_pages(limit, |page| {
        database
            .read({
                let filter = filter.clone();
                move |tx| contacts::page(tx, tenant(of), CampaignId(id(CAMPAIGN)), &filter, &page)
            })
            .unwrap()
    })
}

fn on_number(database: &Database, of: u64, n: u64) -> Vec<ContactId> {
    let found = all_pages(2, |page| {
        database.read(move |tx| contacts::by_number(tx, tenant(of), number(n), &page)).unwrap()
    });
    found.iter().map(|contact| contact.id).collect()
}

#[test]
fn a_contact_reads_back_with_its_numbers_and_fields() {
    on_both_databases(|database| {
        two_tenants(database);
        let closed = Contact {
            expires_at: Some(at(100)),
            preferred_agent: Some(engine::AgentId(id(900))),
            is_callback: true,
            attempts: 300,
            last_result: Some(engine::CallResult::Busy),
            last_result_in_a_row: 2,
            last_attempt_at: Some(at(50)),
            feed_state: FeedState::Final,
            final_reason: Some(FinalReason::Expired),
            ..contact(1, 1)
        };
        store_all(database, vec![closed.clone(), contact(1, 2)]);
        assert_eq!(stored(database, 1), closed);
        let found =
            database.read(|tx| contacts::by_external_id(tx, tenant(1), SourceId(id(SOURCE)), "C-2")).unwrap();
        assert_eq!(found, Some(contact(1, 2)));
    });
}

#[test]
fn no_tenant_sees_or_closes_anothers_contacts() {
    on_both_databases(|database| {
        two_tenants(database);
        store_all(database, vec![contact(1, 1)]);
        assert_eq!(database.read(|tx| contacts::get(tx, tenant(2), contact_id(1))).unwrap(), None);
        let by_key = database.read(|tx| contacts::by_external_id(tx, tenant(2), SourceId(id(SOURCE)), "C-1"));
        assert_eq!(by_key, Ok(None));
        assert_eq!(paged(database, 2, ContactFilter::default(), 2), []);
        assert_eq!(on_number(database, 2, 101), []);
        assert_eq!(database.write(|tx| contacts::close(tx, tenant(2), contact_id(1), at(9))), Ok(None));
        assert_eq!(database.write(|tx| contacts::reopen(tx, tenant(2), contact_id(1), at(9))), Ok(None));
        assert_eq!(stored(database, 1), contact(1, 1));
    });
}

#[test]
fn paging_returns_every_contact_that_passes_the_filter_once_with_its_numbers() {
    on_both_databases(|database| {
        two_tenants(database);
        let mut all: Vec<_> = (1..=7).map(|n| contact(1, n)).collect();
        all[1].feed_state = FeedState::Waiting;
        all[3].feed_state = FeedState::Waiting;
        all[4].source = SourceId(id(31));
        store_all(database, all.clone());
        store_all(database, vec![Contact { campaign: CampaignId(id(21)), ..contact(1, 8) }]);
        assert_eq!(paged(database, 1, ContactFilter::default(), 3), all);
        let waiting = ContactFilter { feed_state: Some(FeedState::Waiting), ..ContactFilter::default() };
        assert_eq!(paged(database, 1, waiting, 1), [all[1].clone(), all[3].clone()]);
        let source = ContactFilter { source: Some(SourceId(id(31))), ..ContactFilter::default() };
        assert_eq!(paged(database, 1, source, 5), [all[4].clone()]);
        let field = |name: &str, text: &str| ContactFilter {
            fields: vec![(name.to_owned(), text.to_owned())],
            ..ContactFilter::default()
        };
        assert_eq!(paged(database, 1, field("first_name", "Zoë"), 9), all);
        assert_eq!(paged(database, 1, field("first_name", "Zoe"), 9), []);
        assert_eq!(paged(database, 1, field("no' such", "Zoë"), 9), []);
    });
}

#[test]
fn contacts_are_found_by_any_of_their_numbers() {
    on_both_databases(|database| {
        two_tenants(database);
        store_all(database, (1..=3).map(|n| contact(1, n)).collect());
        assert_eq!(on_number(database, 1, 102), [contact_id(2)]);
        assert_eq!(on_number(database, 1, 500), [1, 2, 3].map(contact_id));
        assert_eq!(on_number(database, 1, 501), []);
    });
}

#[test]
fn a_closed_contact_is_final_and_a_claimed_one_is_not_closed() {
    on_both_databases(|database| {
        two_tenants(database);
        let claimed =
            Contact { feed_state: FeedState::Claimed, claimed_by: Some(GroupId(id(60))), ..contact(1, 2) };
        let expired = Contact {
            feed_state: FeedState::Final,
            final_reason: Some(FinalReason::Expired),
            ..contact(1, 3)
        };
        let waiting = Contact { feed_state: FeedState::Waiting, ..contact(1, 4) };
        store_all(database, vec![contact(1, 1), claimed.clone(), expired.clone(), waiting]);
        let close =
            |n| database.write(move |tx| contacts::close(tx, tenant(1), contact_id(n), at(9))).unwrap();
        assert_eq!(close(1), Some(Closing::Closed));
        assert_eq!(close(4), Some(Closing::Closed));
        assert_eq!(close(1), Some(Closing::AlreadyFinal));
        assert_eq!(close(2), Some(Closing::Claimed));
        assert_eq!(close(3), Some(Closing::AlreadyFinal));
        assert_eq!(close(5), None);
        let closed = stored(database, 1);
        assert_eq!((closed.feed_state, closed.final_reason), (FeedState::Final, Some(FinalReason::Closed)));
        assert_eq!(closed.updated_at, at(9));
        assert_eq!(stored(database, 2), claimed);
        assert_eq!(stored(database, 3), expired);
    });
}

#[test]
fn a_reopened_contact_is_called_on_its_first_number_that_may_be_dialled() {
    on_both_databases(|database| {
        two_tenants(database);
        let mut closed = Contact {
            feed_state: FeedState::Final,
            final_reason: Some(FinalReason::Treated),
            attempts: 3,
            ..contact(1, 1)
        };
        closed.phones[0].attempts = 3;
        store_all(database, vec![closed]);
        let reopened = database.write(|tx| contacts::reopen(tx, tenant(1), contact_id(1), at(9)));
        assert_eq!(reopened, Ok(Some(Reopening::Reopened)));
        let contact = stored(database, 1);
        assert_eq!((contact.feed_state, contact.final_reason), (FeedState::Waiting, None));
        assert_eq!((contact.next_at, contact.next_phone, contact.bucket), (at(9), 1, BucketId(41)));
        assert_eq!(contact.rank, Rank::new(Band::Retry, 50, FeedOrder::OldestFirst, 1));
        let buckets =
            database.read(|tx| tx.query("SELECT campaign_id, bucket_id FROM campaign_bucket", &[])).unwrap();
        let buckets: Vec<(CampaignId, BucketId)> =
            buckets.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
        assert_eq!(buckets, [(CampaignId(id(CAMPAIGN)), BucketId(41))], "the feed looks into its bucket");
    });
}

#[test]
fn a_contact_that_cannot_be_called_is_not_reopened() {
    on_both_databases(|database| {
        two_tenants(database);
        let closed = |n| Contact {
            feed_state: FeedState::Final,
            final_reason: Some(FinalReason::Closed),
            ..contact(1, n)
        };
        let mut no_phone = closed(2);
        no_phone.phones[0].status = PhoneStatus::Bad;
        no_phone.phones[1].status = PhoneStatus::Suppressed;
        let expired = Contact { expires_at: Some(at(9)), ..closed(3) };
        let all = [contact(1, 1), no_phone, expired];
        store_all(database, all.to_vec());
        let reopen =
            |n| database.write(move |tx| contacts::reopen(tx, tenant(1), contact_id(n), at(9))).unwrap();
        assert_eq!(reopen(1), Some(Reopening::NotFinal));
        assert_eq!(reopen(2), Some(Reopening::NoPhoneLeft));
        assert_eq!(reopen(3), Some(Reopening::Expired));
        assert_eq!(reopen(4), None);
        assert_eq!([1, 2, 3].map(|n| stored(database, n)), all);
    });
}

#[test]
fn debug_output_shows_no_personal_data() {
    let shown = format!("{:?}", contact(1, 1));
    assert!(!shown.contains("Zoë") && !shown.contains("C-1") && !shown.contains("0101"), "{shown}");
}
