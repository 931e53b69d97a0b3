//! A campaign with one source and one group, on a fresh database of each kind.

use std::future::Future;
use std::time::Duration;

use engine::change::{AttemptEnded, AttemptStarted, ContactPlanned, PlannedNext};
use engine::{
    AttemptId, Bucket, BucketId, CallResult, CampaignId, Change, ChangeSet, ContactId, DialMode, FeedOrder,
    GroupId, PhoneKind, PhoneNumber, PhoneStatus, Rank, SourceId, TenantId, Time,
};
use store::changes::{self, HeldGroup};
use store::feed::{self, ClaimRequest, Claimed};
use store::intake::{self, DuplicateScope, IntakeBatch, IntakeOutcome, IntakePhone, IntakeRecord, Outcome};
use store::lease::{self, GroupRow};
use store::testing::{TestDatabase, databases};
use store::{ClaimedContact, FromValue, Store, StoreError, Value};
use uuid::Uuid;

/// The present of every test: 2026-09-21T12:00:00Z, give or take.
pub const NOW: Time = Time::from_micros(1_790_000_000_000_000);

pub fn after(seconds: u64) -> Time {
    NOW + Duration::from_secs(seconds)
}

/// An id that says what it is by its number.
pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number)
}

pub fn contact_id(number: u128) -> ContactId {
    ContactId(id(0x1_0000 + number))
}

pub fn number(last: u64) -> PhoneNumber {
    PhoneNumber::from_digits(14_155_000_000 + last).unwrap()
}

/// Buckets by number; all differ.
pub fn bucket(index: usize) -> Bucket {
    let from = u16::try_from(index).unwrap();
    Bucket {
        zones: "Europe/Paris".parse().unwrap(),
        window: Some(engine::DayWindow::new(from, 1440).unwrap()),
    }
}

pub fn bucket_id(index: usize) -> BucketId {
    bucket(index).id()
}

pub struct World {
    pub database: TestDatabase,
    pub tenant: TenantId,
    pub campaign: CampaignId,
    pub source: SourceId,
    pub group: GroupId,
    pub owner: Uuid,
}

/// Runs a test on both databases, one after the other.
#[expect(clippy::print_stdout, reason = "the output of a failed test tells on which database it failed")]
pub async fn on_both<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    for database in databases() {
        println!("on {:?}", database.dialect());
        test(World::on(database)).await;
    }
}

impl World {
    pub fn on(database: TestDatabase) -> Self {
        Self {
            database,
            tenant: TenantId(id(1)),
            campaign: CampaignId(id(2)),
            source: SourceId(id(3)),
            group: GroupId(id(4)),
            owner: id(5),
        }
    }

    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// The lease of the world's group.
    pub async fn lease(&self) -> HeldGroup {
        self.lease_of(self.group).await
    }

    /// The lease of another group of the campaign.
    pub async fn lease_of(&self, group: GroupId) -> HeldGroup {
        let (row, owner) = (GroupRow { group, tenant: self.tenant, campaign: self.campaign }, self.owner);
        let lease = self.store().write(move |tx| lease::acquire(tx, row, owner, NOW, after(60))).await;
        HeldGroup { group, epoch: lease.unwrap().expect("the lease is free").epoch, campaign: self.campaign }
    }

    pub fn batch(&self, records: Vec<IntakeRecord>) -> IntakeBatch {
        IntakeBatch {
            tenant: self.tenant,
            campaign: self.campaign,
            source: self.source,
            import: None,
            now: NOW,
            order: FeedOrder::OldestFirst,
            duplicate_scope: DuplicateScope::None,
            suppression_lists: Vec::new(),
            buckets: (0..20).map(bucket).collect(),
            records,
        }
    }

    pub async fn take_in(&self, batch: IntakeBatch) -> Vec<Outcome> {
        let outcomes: Result<Vec<IntakeOutcome>, _> =
            self.store().write(move |tx| intake::apply_batch(tx, &batch)).await;
        outcomes.unwrap().iter().map(|it| it.outcome).collect()
    }

    /// Takes in these records and makes sure that each became a contact.
    pub async fn add(&self, records: Vec<IntakeRecord>) {
        let outcomes = self.take_in(self.batch(records)).await;
        assert!(outcomes.iter().all(|it| matches!(it, Outcome::Created(_))), "{outcomes:?}");
    }

    pub fn request(&self, held: HeldGroup, wanted: u32, open: &[usize]) -> ClaimRequest {
        ClaimRequest {
            tenant: self.tenant,
            campaign: self.campaign,
            group: held.group,
            epoch: held.epoch,
            now: NOW,
            wanted,
            callbacks_only: false,
            open: open.iter().map(|index| bucket_id(*index)).collect(),
            suppression_lists: Vec::new(),
        }
    }

    pub async fn try_claim(&self, request: ClaimRequest) -> Result<Claimed, StoreError> {
        self.store().write(move |tx| feed::claim(tx, &request)).await
    }

    pub async fn claim(&self, held: HeldGroup, wanted: u32, open: &[usize]) -> Vec<ClaimedContact> {
        self.try_claim(self.request(held, wanted, open)).await.unwrap().contacts
    }

    pub async fn try_apply(&self, held: HeldGroup, changes: Vec<Change>) -> Result<(), StoreError> {
        let set = ChangeSet { ticket: 1, at: NOW, changes };
        let tenant = self.tenant;
        self.store().write(move |tx| changes::apply(tx, tenant, &[held], std::slice::from_ref(&set))).await
    }

    pub async fn apply(&self, held: HeldGroup, changes: Vec<Change>) {
        self.try_apply(held, changes).await.unwrap();
    }

    pub async fn execute(&self, sql: &'static str, values: Vec<Value>) -> u64 {
        self.store().write(move |tx| tx.execute(sql, &values)).await.unwrap()
    }

    /// The first column of the first row.
    pub async fn one<T: FromValue + Send + 'static>(&self, sql: &'static str, values: Vec<Value>) -> T {
        let row = self.store().read(move |tx| tx.query_one(sql, &values)).await.unwrap();
        row.expect("a row").get(0).unwrap()
    }

    /// A contact's feed state.
    pub async fn state(&self, contact: ContactId) -> i64 {
        self.one("SELECT feed_state FROM contact WHERE id = $1", vec![contact.into()]).await
    }

    /// The kinds of all events, in order.
    pub async fn told(&self) -> Vec<String> {
        let tenant = self.tenant;
        let events =
            self.store().read(move |tx| store::events::read_after(tx, tenant, 0, 1000)).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }
}

/// A record with one number of its own, in a bucket.
pub fn record(number: u64, bucket: usize) -> IntakeRecord {
    IntakeRecord {
        row: number,
        id: contact_id(u128::from(number)),
        external_id: format!("customer-{number}"),
        phones: vec![phone(number, bucket)],
        fields_json: r#"{"name": "Ada"}"#.into(),
        priority: 50,
        not_before: None,
        expires_at: None,
        preferred_agent: None,
        fingerprint: 1,
        callback: false,
        urgent: false,
        group: None,
        tag: None,
        created_at: None,
    }
}

pub fn phone(last: u64, bucket: usize) -> IntakePhone {
    IntakePhone {
        number: number(last),
        kind: PhoneKind::Mobile,
        attempts_max: None,
        caller_id: None,
        bucket: bucket_id(bucket),
    }
}

pub fn attempt_id(contact: &ClaimedContact) -> AttemptId {
    // The number of the attempt is far above that of the contact, so that no two attempts share an id.
    let number = u128::from(contact.attempts) + 1;
    AttemptId(Uuid::from_u128(contact.contact.0.as_u128() + (number << 96)))
}

/// So many seconds after the beginning of a contact's attempt; each begins when the one before is long settled.
fn into_attempt(contact: &ClaimedContact, seconds: u64) -> Time {
    after(u64::from(contact.attempts) * 100 + seconds)
}

pub fn started(group: GroupId, contact: &ClaimedContact) -> Change {
    Change::AttemptStarted(AttemptStarted {
        attempt: attempt_id(contact),
        group,
        contact: contact.contact,
        phone: contact.phone,
        number: contact.current_phone().unwrap().number,
        attempt_number: contact.attempts + 1,
        dial_mode: DialMode::Progressive,
        caller_id: None,
        agent: None,
        at: into_attempt(contact, 0),
    })
}

pub fn ended(group: GroupId, contact: &ClaimedContact, result: CallResult) -> Change {
    Change::AttemptEnded(AttemptEnded {
        attempt: attempt_id(contact),
        group,
        contact: contact.contact,
        result,
        opted_out: None,
        agent: None,
        ringing_at: Some(into_attempt(contact, 1)),
        answered_at: None,
        connected_at: None,
        at: into_attempt(contact, 20),
    })
}

pub fn planned(group: GroupId, contact: &ClaimedContact, next: PlannedNext) -> ContactPlanned {
    ContactPlanned {
        attempt: Some(attempt_id(contact)),
        group,
        contact: contact.contact,
        phone: contact.phone,
        phone_status: PhoneStatus::Active,
        result: Some(CallResult::Busy),
        result_in_a_row: 1,
        disposition: None,
        notes: None,
        at: into_attempt(contact, 21),
        suppress: None,
        next,
    }
}

pub fn dial_again(at: Time, bucket: usize) -> PlannedNext {
    PlannedNext::Dial { phone: 0, bucket: Some(bucket_id(bucket)), at, rank: Some(Rank(7)), callback: false }
}
