//! The pump: the task that delivers to one sink as long as this node holds the sink's lease.
//!
//! Turn by turn it reads what waits and what is new, renders, delivers, and notes what became of it, all in the outbox's
//! order. What does not arrive is kept with what is behind it in its lane, and the cursor moves on: a receiver that
//! refuses one group's messages does not hold up the others'. A turn that is cut short was not noted and is done again,
//! with the same ids: at least once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use engine::{GroupState, Time};
use metrics::{counter, gauge};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sinks::{Deliver, Message, Outcome};
use store::sinks::{self as rows, Progress, SinkCursor, SinkLease, SinkMessage};
use store::{Tx, events, figures};
use telephony::{Clock, SystemClock};
use uuid::Uuid;

use super::render::{ACTIVITY, Renderer};
use super::statistics::{Figures, LeftCounts};
use super::target::{self, SinkCredentials};
use super::waits::wait_after;
use crate::definitions::load;
use crate::model::{SinkBody, SinkDelivery, Stored};
use crate::{App, AppError};

/// Events, or kept messages, in one turn at most.
const BATCH: u32 = 200;
/// Messages that may wait; beyond that no more events are taken up. They stay in the outbox.
const WAITING_MAX: usize = 10_000;
/// How long a turn waits that found nothing to do.
const IDLE: Duration = Duration::from_millis(200);
/// How long a turn waits that the database refused, or whose sink cannot be opened.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Delivers to one sink.
pub(super) struct Pump {
    app: Arc<App>,
    lease: SinkLease,
    chance: StdRng,
    left: LeftCounts,
    /// The sink as it was opened, with what it was opened from.
    open: Option<(i64, SinkCredentials, Box<dyn Deliver>)>,
}

/// What a turn has before it.
struct Work {
    stored: Stored<SinkBody>,
    credentials: SinkCredentials,
    cursor: SinkCursor,
    /// Kept messages that are due, in order.
    again: Vec<SinkMessage>,
    /// Lanes in which more waits than is in `again`: what is new goes behind it.
    queued: BTreeSet<Option<Uuid>>,
    /// New messages, in order.
    fresh: Vec<Message>,
    seq: i64,
    activity_period: i64,
    left: LeftCounts,
}

/// What a turn did.
#[derive(PartialEq, Eq)]
enum Turn {
    Worked,
    Idle,
    /// The sink is gone, or another node's now.
    Over,
}

impl Pump {
    pub fn new(app: Arc<App>, lease: SinkLease) -> Self {
        let chance = StdRng::seed_from_u64(crate::ids::random_seed());
        Self { app, lease, chance, left: LeftCounts::new(), open: None }
    }

    /// Delivers until the lease is lost.
    pub async fn run(mut self) {
        loop {
            match self.turn().await {
                Ok(Turn::Worked) => {}
                Ok(Turn::Idle) => tokio::time::sleep(IDLE).await,
                Ok(Turn::Over) => return,
                Err(error) => {
                    tracing::warn!(sink = %self.lease.sink, %error, "could not deliver; trying again");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn turn(&mut self) -> Result<Turn, AppError> {
        let lease = self.lease;
        let (now, call_now) = (SystemClock.now(), self.app.clock.now());
        let (app, left) = (Arc::clone(&self.app), self.left.clone());
        let work = self.app.read(move |tx| gather(tx, &app, lease, (now, call_now), left.clone())).await?;
        let Some(work) = work else { return Ok(Turn::Over) };
        if !work.stored.body.enabled {
            return Ok(Turn::Idle);
        }
        self.left.clone_from(&work.left);
        let is_new = work.seq > work.cursor.seq || work.activity_period > work.cursor.activity_period;
        if work.again.is_empty() && !is_new {
            return Ok(Turn::Idle);
        }
        if work.stored.body.delivery == SinkDelivery::FireAndForget {
            return self.forget_as_told(work).await;
        }
        // What is new in a lane that is held up goes behind what waits there, untried.
        let (behind, tried): (Vec<Message>, Vec<Message>) =
            work.fresh.iter().cloned().partition(|message| work.queued.contains(&message.lane));
        let mut batch: Vec<Message> = work.again.iter().map(as_message).collect();
        batch.extend(tried);
        let outcomes = match self.open(&work) {
            Ok(sink) => sink.deliver(now, &batch).await,
            Err(reason) => vec![Outcome::Retry { after: None, reason }; batch.len()],
        };
        let progress = self.judge(&work, &batch, outcomes, behind);
        self.note(progress).await
    }

    /// Opens the sink, unless it is open as it is defined now.
    fn open(&mut self, work: &Work) -> Result<&dyn Deliver, String> {
        let is_open = self.open.as_ref().is_some_and(|(version, credentials, _)| {
            *version == work.stored.version && *credentials == work.credentials
        });
        if !is_open {
            self.open = None;
            let (directory, sink) = (&self.app.sinks.directory, self.lease.sink);
            let opened = target::open(directory, sink, &work.stored.body, work.credentials.clone());
            let opened = opened.map_err(|error| error.to_string())?;
            self.open = Some((work.stored.version, work.credentials.clone(), opened));
        }
        self.open.as_ref().map(|open| open.2.as_ref()).ok_or_else(|| "it is not open".to_owned())
    }

    /// What is to be noted of a batch.
    fn judge(
        &mut self,
        work: &Work,
        batch: &[Message],
        outcomes: Vec<Outcome>,
        behind: Vec<Message>,
    ) -> Progress {
        let tries_max = work.stored.body.tries_max;
        let now = SystemClock.now();
        let mut progress = Progress {
            seq: work.seq,
            next_place: work.cursor.next_place,
            activity_period: work.activity_period,
            at: now,
            ..Progress::default()
        };
        let (mut retried, mut given_up) = (0_u64, 0_u64);
        for (index, (message, outcome)) in batch.iter().zip(outcomes).enumerate() {
            let kept = work.again.get(index);
            let mut row = kept.cloned().unwrap_or_else(|| to_keep(message, &mut progress.next_place));
            match outcome {
                Outcome::Delivered => {
                    progress.delivered += 1;
                    progress.remove.extend(kept.map(|kept| kept.id));
                    continue;
                }
                Outcome::Held if kept.is_some() => continue,
                Outcome::Held => {}
                Outcome::Retry { after, reason } => {
                    row.tries += 1;
                    row.is_dead = row.tries >= tries_max;
                    let wait = wait_after(row.tries, self.chance.next_u64());
                    row.next_try_at = now + wait.max(after.unwrap_or_default());
                    row.error = Some(reason.clone());
                    progress.error = Some(reason);
                    retried += 1;
                    given_up += u64::from(row.is_dead);
                }
                Outcome::Refused { reason } => {
                    row.tries += 1;
                    row.is_dead = true;
                    row.error = Some(reason.clone());
                    progress.error = Some(reason);
                    given_up += 1;
                }
            }
            if kept.is_some() { progress.change.push(row) } else { progress.keep.push(row) }
        }
        for message in behind {
            progress.keep.push(to_keep(&message, &mut progress.next_place));
        }
        count("delivered", progress.delivered.unsigned_abs());
        count("retried", retried);
        count("given_up", given_up);
        progress
    }

    /// Delivers what is new once, whatever comes of it. It is noted before: a crash loses messages and repeats none.
    async fn forget_as_told(&mut self, work: Work) -> Result<Turn, AppError> {
        let base = Progress {
            seq: work.seq,
            next_place: work.cursor.next_place,
            activity_period: work.activity_period,
            at: SystemClock.now(),
            ..Progress::default()
        };
        if self.note(base.clone()).await? == Turn::Over {
            return Ok(Turn::Over);
        }
        let mut progress = base;
        let mut batch: Vec<Message> = work.again.iter().map(as_message).collect();
        progress.remove = work.again.iter().map(|kept| kept.id).collect();
        batch.extend(work.fresh.iter().cloned());
        while !batch.is_empty() {
            let outcomes = match self.open(&work) {
                Ok(sink) => sink.deliver(SystemClock.now(), &batch).await,
                Err(reason) => vec![Outcome::Refused { reason }; batch.len()],
            };
            let mut held = Vec::new();
            for (message, outcome) in batch.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered => progress.delivered += 1,
                    Outcome::Retry { reason, .. } | Outcome::Refused { reason } => {
                        progress.lost += 1;
                        progress.error = Some(reason);
                    }
                    Outcome::Held => held.push(message),
                }
            }
            batch = held;
        }
        count("delivered", progress.delivered.unsigned_abs());
        count("lost", progress.lost.unsigned_abs());
        self.note(progress).await
    }

    async fn note(&self, progress: Progress) -> Result<Turn, AppError> {
        let lease = self.lease;
        let noted = self.app.write(move |tx| Ok(rows::note(tx, lease, &progress)?)).await?;
        Ok(if noted { Turn::Worked } else { Turn::Over })
    }
}

/// Reads what a turn has before it. `None` if the sink is gone, or another's.
fn gather(
    tx: &mut Tx<'_>,
    app: &App,
    lease: SinkLease,
    (now, call_now): (Time, Time),
    left: LeftCounts,
) -> Result<Option<Work>, AppError> {
    let SinkLease { sink, tenant, epoch } = lease;
    let Some(cursor) = rows::cursor(tx, tenant, sink)?.filter(|it| it.lease_epoch == epoch) else {
        return Ok(None);
    };
    let stored: Stored<SinkBody> = match load(tx, tenant, sink) {
        Err(AppError::NotFound { .. }) => return Ok(None),
        other => other?,
    };
    let credentials = super::read_credentials(tx, tenant, sink)?;
    let (seq, activity_period) = (cursor.seq, cursor.activity_period);
    let mut work = Work {
        credentials,
        cursor,
        again: Vec::new(),
        queued: BTreeSet::new(),
        fresh: Vec::new(),
        seq,
        activity_period,
        left,
        stored,
    };
    if !work.stored.body.enabled {
        return Ok(Some(work));
    }
    let is_full = gather_waiting(tx, lease, now, &mut work)?;
    gauge!("outdial_sink_lag_events", "sink" => sink.to_string())
        .set((events::last(tx, tenant)? - work.cursor.seq) as f64);
    if !is_full {
        gather_fresh(tx, app, lease, call_now, &mut work)?;
    }
    Ok(Some(work))
}

/// Finds the kept messages that are due. Tells whether no more may be kept.
fn gather_waiting(tx: &mut Tx<'_>, lease: SinkLease, now: Time, work: &mut Work) -> Result<bool, AppError> {
    let forgets = work.stored.body.delivery == SinkDelivery::FireAndForget;
    let waiting = rows::waiting(tx, lease.tenant, lease.sink, WAITING_MAX as u32)?;
    let mut due = Vec::new();
    let mut begun = BTreeSet::new();
    for message in &waiting {
        // The first of a lane says when the lane goes on.
        let is_first = begun.insert(message.lane);
        let must_wait = is_first && message.next_try_at > now && !forgets;
        if must_wait || due.len() == BATCH as usize {
            work.queued.insert(message.lane);
        }
        if !work.queued.contains(&message.lane) {
            due.push(message.id);
        }
    }
    work.again = rows::messages(tx, lease.tenant, lease.sink, &due)?;
    Ok(waiting.len() >= WAITING_MAX)
}

/// Takes up events, and tells of activity when all of them are taken up.
fn gather_fresh(
    tx: &mut Tx<'_>,
    app: &App,
    lease: SinkLease,
    call_now: Time,
    work: &mut Work,
) -> Result<(), AppError> {
    let SinkLease { sink, tenant, .. } = lease;
    let body = work.stored.body.clone();
    let format = app.sinks.format(body.format)?;
    let window = Duration::from_secs(body.window_seconds.into());
    let figures = Figures::new(tenant, call_now, window, std::mem::take(&mut work.left));
    let mut renderer = Renderer::new((tenant, sink), &body, format, figures, call_now);
    let taken = events::read_after(tx, tenant, work.seq, BATCH)?;
    for event in &taken {
        let messages = renderer.event(tx, event)?;
        work.fresh.extend(messages);
        work.seq = event.seq;
    }
    let period = call_now.as_micros() / (i64::from(body.activity_seconds) * 1_000_000);
    if period > work.activity_period && taken.len() < BATCH as usize && body.wants(ACTIVITY) {
        work.activity_period = period;
        for group in figures::loaded_groups(tx, tenant)? {
            if matches!(group.state, GroupState::Active | GroupState::Running) {
                work.fresh.push(renderer.activity(tx, &group, period)?);
            }
        }
    }
    work.left = renderer.figures.left;
    Ok(())
}

fn as_message(kept: &SinkMessage) -> Message {
    Message { id: kept.id, lane: kept.lane, kind: kept.kind.clone(), at: kept.at, body: kept.body.clone() }
}

/// A message that is kept for the first time: it may be tried at once when it is its turn.
fn to_keep(message: &Message, next_place: &mut i64) -> SinkMessage {
    let place = *next_place;
    *next_place += 1;
    SinkMessage {
        id: message.id,
        place,
        lane: message.lane,
        kind: message.kind.clone(),
        at: message.at,
        body: message.body.clone(),
        is_dead: false,
        tries: 0,
        next_try_at: Time::EPOCH,
        error: None,
    }
}

fn count(outcome: &'static str, messages: u64) {
    counter!("outdial_sink_messages_total", "outcome" => outcome).increment(messages);
}
