//! What the next 1,000 contacts cost: from a short list, from a long one, and from the long one when nearly all of it
//! is outside its hours.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use engine::{
    Bucket, BucketId, CampaignId, ContactId, DayWindow, FeedOrder, GroupId, IdSource, ImportId, PhoneKind,
    PhoneNumber, SourceId, TenantId, Time, Zone, ZoneSet,
};
use serde_json::{Value, json};
use store::feed::{self, ClaimRequest};
use store::intake::{self, DuplicateScope, IntakeBatch, IntakePhone, IntakeRecord};
use store::lease::{self, GroupRow};
use store::reference::Scratch;
use store::{Store, StoreOptions};

/// Contacts of the list that the long one is compared with.
const SHORT_LIST: u64 = 100_000;
/// Contacts asked for at once.
const WANTED: u32 = 1000;
/// Claims from each list that are measured. The figure is their median.
const ROUNDS: usize = 21;
/// Claims before those, in which caches fill and statements are prepared.
const WARM_UP_ROUNDS: usize = 4;
/// Contacts that one kind of claim takes in all.
const CLAIMED: u64 = WANTED as u64 * (WARM_UP_ROUNDS + ROUNDS) as u64;
/// Buckets that hold 99 of 100 contacts, and as many that share the hundredth.
const HALF_OF_THE_BUCKETS: usize = 20;
/// Contacts taken in by one transaction, as many as by an import's.
const BATCH: u64 = 5_000;
/// The present: an instant in September 2026, as good as any.
const NOW: Time = Time::from_micros(1_790_000_000_000_000);

/// Fills two fresh databases beside `db`, one with 100,000 contacts and one with `contacts`, and claims from both by
/// turns, so that whatever else the machine does meets all of them alike.
///
/// # Errors
/// A database cannot be made or filled, or a claim gives fewer contacts than were asked for.
pub async fn run(db: &str, contacts: u64) -> anyhow::Result<Vec<Value>> {
    // One in a hundred is claimed from alone, and the claims from all take some of those too.
    let least = 120 * CLAIMED;
    ensure!(contacts >= least, "--contacts must be {least} at least: there is too little to claim otherwise");
    let (short, long) = (Scratch::create(db).await?, Scratch::create(db).await?);
    let measured = measure(&short, &long, contacts).await;
    // A database that cannot be removed is no reason to lose the figures.
    for scratch in [short, long] {
        if let Err(error) = scratch.remove().await {
            tracing::warn!(%error, "a database of the bench could not be removed");
        }
    }
    measured
}

async fn measure(short: &Scratch, long: &Scratch, contacts: u64) -> anyhow::Result<Vec<Value>> {
    let (mut short, mut long) = (List::fill(short, SHORT_LIST).await?, List::fill(long, contacts).await?);
    let (all, few) =
        (buckets(0..2 * HALF_OF_THE_BUCKETS)?, buckets(HALF_OF_THE_BUCKETS..2 * HALF_OF_THE_BUCKETS)?);
    let [mut from_short, mut from_long, mut mostly_closed, mut far_apart] = [const { Vec::new() }; 4];
    // First, for they come before all others wherever they are open.
    for round in 0..WARM_UP_ROUNDS + ROUNDS {
        let taken = long.claim(&all).await?;
        if round >= WARM_UP_ROUNDS {
            far_apart.push(taken);
        }
    }
    for round in 0..WARM_UP_ROUNDS + ROUNDS {
        let taken = [long.claim(&few).await?, short.claim(&all).await?, long.claim(&all).await?];
        if round >= WARM_UP_ROUNDS {
            mostly_closed.push(taken[0]);
            from_short.push(taken[1]);
            from_long.push(taken[2]);
        }
    }
    let kind = format!("{:?}", long.store.dialect()).to_lowercase();
    let times = [from_short, from_long, mostly_closed, far_apart];
    let [from_short, from_long, mostly_closed, far_apart] = times.map(median_millis);
    let line = |what: String, value: f64, reference: Option<f64>| {
        let ratio = reference.map(|reference| rounded(value / reference));
        json!({"bench": "feed", "what": what, "db": kind, "value": rounded(value), "unit": "ms",
               "reference": reference.map(rounded), "ratio": ratio})
    };
    Ok(vec![
        line(format!("next {WANTED} of {SHORT_LIST}"), from_short, None),
        line(format!("next {WANTED} of {contacts}"), from_long, Some(from_short)),
        line(format!("next {WANTED} of {contacts}, 99 % closed"), mostly_closed, Some(from_long)),
        line(
            format!("next {WANTED} of {contacts}, all open, each the hundredth"),
            far_apart,
            Some(from_long),
        ),
    ])
}

/// A campaign's contacts in a database of their own, and the group that claims them. What it claims it keeps, as a
/// group does that dials: each claim finds the list where the one before left it.
struct List {
    store: Store,
    ids: IdSource,
    tenant: TenantId,
    campaign: CampaignId,
    source: SourceId,
    import: ImportId,
    group: GroupId,
    epoch: i64,
}

impl List {
    async fn fill(scratch: &Scratch, contacts: u64) -> anyhow::Result<Self> {
        let store = Store::open(&scratch.target, StoreOptions::default()).await?;
        let mut ids = IdSource::new(contacts);
        let mut list = Self {
            store,
            tenant: TenantId(ids.next(NOW)),
            campaign: CampaignId(ids.next(NOW)),
            source: SourceId(ids.next(NOW)),
            import: ImportId(ids.next(NOW)),
            group: GroupId(ids.next(NOW)),
            epoch: 0,
            ids,
        };
        let (all, started) = (buckets(0..2 * HALF_OF_THE_BUCKETS)?, Instant::now());
        for first in (0..contacts).step_by(BATCH as usize) {
            let batch = list.batch(first..contacts.min(first + BATCH), &all)?;
            list.store.write(move |tx| intake::apply_batch(tx, &batch)).await?;
        }
        tracing::info!(contacts, seconds = started.elapsed().as_secs_f64(), "the list is filled");
        list.store.write(intake::finish_import).await?;
        scratch.settle().await?;
        let group = GroupRow { group: list.group, tenant: list.tenant, campaign: list.campaign };
        let owner = list.ids.next(NOW);
        let until = NOW + Duration::from_secs(3600);
        let lease = list.store.write(move |tx| lease::acquire(tx, group, owner, NOW, until)).await?;
        list.epoch = lease.context("the lease of a new group is taken")?.epoch;
        Ok(list)
    }

    /// Contacts with one number each. One in a hundred, spread evenly over the list, is in the second half of the
    /// buckets. As many others, spread alike in the first half, have a higher priority, so that they are claimed first:
    /// what those cost tells what it costs that contacts lie far apart, without any being closed.
    fn batch(&mut self, places: std::ops::Range<u64>, all: &[Bucket]) -> anyhow::Result<IntakeBatch> {
        let arrived = NOW + Duration::from_millis(places.start);
        let record = |place: u64| -> anyhow::Result<IntakeRecord> {
            let half = HALF_OF_THE_BUCKETS as u64;
            let bucket = if place.is_multiple_of(100) { half + place / 100 % half } else { place % half };
            let phone = IntakePhone {
                number: PhoneNumber::from_digits(33_100_000_000 + place)?,
                kind: PhoneKind::Mobile,
                attempts_max: None,
                caller_id: None,
                bucket: all[bucket as usize].id(),
            };
            Ok(IntakeRecord {
                row: place,
                id: ContactId(self.ids.next(arrived)),
                external_id: format!("C{place:09}"),
                phones: vec![phone],
                fields_json: format!(
                    r#"{{"first_name": "Ada {}", "city": "City {}"}}"#,
                    place % 977,
                    place % 331
                ),
                priority: if place % 100 == 50 && place / 100 < CLAIMED { 60 } else { 50 },
                not_before: None,
                expires_at: None,
                preferred_agent: None,
                fingerprint: place as i64,
                callback: false,
                urgent: false,
                group: None,
                tag: None,
                created_at: None,
            })
        };
        let mut batch = IntakeBatch {
            tenant: self.tenant,
            campaign: self.campaign,
            source: self.source,
            import: Some(self.import),
            now: arrived,
            order: FeedOrder::OldestFirst,
            duplicate_scope: DuplicateScope::None,
            suppression_lists: Vec::new(),
            buckets: all.to_vec(),
            records: places.map(record).collect::<Result<_, _>>()?,
        };
        intake::make_neighbours(&mut batch);
        Ok(batch)
    }

    /// How long a durable claim takes.
    async fn claim(&mut self, open: &[Bucket]) -> anyhow::Result<Duration> {
        let open: Vec<BucketId> = open.iter().map(Bucket::id).collect();
        let request = ClaimRequest {
            tenant: self.tenant,
            campaign: self.campaign,
            group: self.group,
            epoch: self.epoch,
            // After the last contact arrived.
            now: NOW + Duration::from_secs(24 * 3600),
            wanted: WANTED,
            callbacks_only: false,
            open,
            suppression_lists: Vec::new(),
        };
        let started = Instant::now();
        let claimed = self.store.write(move |tx| feed::claim(tx, &request)).await?;
        let taken = started.elapsed();
        ensure!(claimed.contacts.len() == WANTED as usize, "{} contacts came", claimed.contacts.len());
        Ok(taken)
    }
}

/// Buckets that all differ: the same zone with windows from another minute on.
fn buckets(numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<Bucket>> {
    numbers
        .map(|number| {
            let window = DayWindow::new(u16::try_from(number)?, 24 * 60)?;
            Ok(Bucket { zones: ZoneSet::one(Zone::utc()), window: Some(window) })
        })
        .collect()
}

fn median_millis(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, |time| 1e3 * time.as_secs_f64())
}

fn rounded(value: f64) -> f64 {
    (1000.0 * value).round() / 1000.0
}
