//! Fetching contacts for the hopper.

use std::collections::HashMap;
use std::sync::Arc;

use engine::{
    BucketId, CallingHours, GroupId, HopperContact, Openness, Supply, SuppressionListId, Time, ZoneSet,
};
use store::feed::{self, ClaimRequest};
use store::{StoreError, Tx};

use super::{Message, Runner};

/// What a question for contacts needs to know.
struct Question {
    request: ClaimRequest,
    hours: CallingHours,
}

impl Runner {
    pub(super) fn fetch(&mut self, group: GroupId, fence: u64, wanted: u32, callbacks_only: bool) {
        let Some(held) = self.held.get(&group) else { return };
        let (now, epoch) = (self.shared.clock.now(), held.epoch);
        let request = ClaimRequest {
            tenant: self.tenant,
            campaign: held.row.campaign,
            group,
            epoch,
            now,
            wanted,
            open: Vec::new(),
            callbacks_only,
            suppression_lists: held.suppression_lists.clone(),
        };
        let question = Question { request, hours: held.rules.hours.clone() };
        let (store, runner) = (self.shared.store.clone(), self.myself.clone());
        tokio::spawn(async move {
            let answer = store.write(move |tx| answer(tx, &question)).await;
            let _ = runner.send(Message::Fetched { group, epoch, fence, answer }).await;
        });
    }

    pub(super) async fn fetched(
        &mut self,
        group: GroupId,
        epoch: i64,
        fence: u64,
        answer: Result<(Vec<HopperContact>, Supply), StoreError>,
    ) {
        // Contacts that were taken under an earlier epoch were made ready again when the group was taken up anew.
        if !self.holds(group, epoch) {
            return;
        }
        match answer {
            Ok((contacts, supply)) => self.input(engine::Input::Contacts { group, fence, contacts, supply }),
            Err(StoreError::Fenced { group }) => self.lose(group),
            // If they were taken, only a new epoch makes them ready again.
            Err(error @ StoreError::CommitUnknown) => {
                tracing::error!(%group, %error, "contacts may be taken that nobody knows of; taking the group up again");
                self.take_up_again(group).await;
            }
            Err(error) => {
                tracing::warn!(%group, %error, "could not fetch contacts");
                self.input(engine::Input::FetchFailed { group, fence });
            }
        }
    }
}

/// When and where the contacts of a campaign may be called, by bucket.
pub(super) struct Openings {
    open: HashMap<BucketId, (Arc<ZoneSet>, Time)>,
    opens: HashMap<BucketId, Time>,
    zones: HashMap<BucketId, Arc<ZoneSet>>,
}

impl Openings {
    pub(super) fn read(
        tx: &mut Tx<'_>,
        campaign: engine::CampaignId,
        hours: &CallingHours,
        now: Time,
    ) -> Result<Self, StoreError> {
        let mut openings = Self { open: HashMap::new(), opens: HashMap::new(), zones: HashMap::new() };
        for (id, bucket) in feed::buckets(tx, campaign)? {
            let openness = hours.openness(now, &bucket.zones, bucket.window);
            let zones = Arc::new(bucket.zones);
            openings.zones.insert(id, Arc::clone(&zones));
            match openness {
                Openness::Open { until } => drop(openings.open.insert(id, (zones, until))),
                Openness::Closed { opens } => drop(openings.opens.insert(id, opens)),
            }
        }
        Ok(openings)
    }

    /// The zones of a bucket; UTC for one that is not known, which is never open.
    pub(super) fn zones(&self, bucket: BucketId) -> Arc<ZoneSet> {
        self.zones.get(&bucket).cloned().unwrap_or_else(|| Arc::new(ZoneSet::one(engine::Zone::utc())))
    }
}

fn answer(tx: &mut Tx<'_>, question: &Question) -> Result<(Vec<HopperContact>, Supply), StoreError> {
    let Question { request, hours } = question;
    let openings = Openings::read(tx, request.campaign, hours, request.now)?;
    let request = ClaimRequest { open: openings.open.keys().copied().collect(), ..request.clone() };
    let claimed = feed::claim(tx, &request)?;
    let promised = claimed.contacts.iter().filter(|contact| contact.is_callback);
    let mut promises = store::callbacks::promises(tx, promised.map(|contact| contact.contact))?;
    let contacts: Vec<HopperContact> = claimed
        .contacts
        .into_iter()
        .map(|contact| {
            let (zones, until) = openings
                .open
                .get(&contact.bucket)
                .cloned()
                .unwrap_or_else(|| (openings.zones(contact.bucket), request.now));
            let promise = promises.remove(&contact.contact).map(Box::new);
            HopperContact { promise, ..contact.into_hopper(zones, until) }
        })
        .collect();
    if !contacts.is_empty() {
        return Ok((contacts, Supply { any_left: true, next_due: None }));
    }
    let left = feed::supply(tx, request.campaign, request.group)?;
    let opening = left.ready.iter().filter_map(|bucket| openings.opens.get(bucket)).min().copied();
    // What is due next may be no callback: a group for callbacks alone looks every few seconds.
    let next_due = [left.next_due, opening].into_iter().flatten().min().filter(|_| !request.callbacks_only);
    Ok((contacts, Supply { any_left: !left.is_exhausted(), next_due }))
}

/// The lists that a campaign is scrubbed against: those it names and its own.
pub(super) fn suppression_lists(
    campaign: engine::CampaignId,
    named: &[SuppressionListId],
) -> Vec<SuppressionListId> {
    let own = SuppressionListId(campaign.0);
    named.iter().copied().chain([own]).collect()
}
