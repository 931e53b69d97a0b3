//! "Why is this contact not dialled?", answered with the rules that stand in the way.

use engine::engine::IdleReason;
use engine::time::rfc3339_option;
use engine::{
    CallingHours, CampaignId, ContactId, GroupId, GroupState, Openness, PhoneStatus, TenantId, Time,
};
use schemars::JsonSchema;
use serde::Serialize;
use store::feed::{self, WhyNot};
use store::records::definitions as definition_rows;
use store::records::{PAGE_ROWS_MAX, Page};
use store::{Tx, lease};

use super::get;
use crate::access::{Permission, Principal};
use crate::definitions;
use crate::floor::GroupLive;
use crate::model::{CallingHoursBody, CampaignBody, CampaignGroupBody, Definition};
use crate::{App, AppError};

/// Why a contact is not dialled at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "WhyNot")]
pub struct WhyNotView {
    /// The contact.
    pub contact: ContactId,
    /// Whether nothing stands in its way: it is dialled as soon as it is its turn.
    pub callable: bool,
    /// What stands in its way, the weightiest first.
    pub reasons: Vec<WhyNotReason>,
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct WhyNotReason {
    /// Which rule.
    pub rule: WhyNotRule,
    /// In words.
    pub message: String,
    /// Until when, if that is known.
    #[serde(with = "rfc3339_option")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Time>,
}

/// A rule that keeps a contact from being dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhyNotRule {
    /// It is done.
    Final,
    /// Its time is over.
    Expired,
    /// The customer is on a suppression list.
    CustomerSuppressed,
    /// A number is on a suppression list.
    NumberSuppressed,
    /// A number may not be dialled any more.
    NumberNotDialable,
    /// Its next attempt is later.
    NotYet,
    /// Nobody knows the time zone of the number that is next.
    NoZone,
    /// It is outside the calling hours where the called party is.
    OutsideHours,
    /// It is being called.
    BeingCalled,
    /// No switch takes calls: none can be reached, or those that can are taken out of use.
    NoSwitch,
    /// It is in the hopper of a campaign group.
    InHopper,
    /// None of the campaign's groups is running.
    NoGroupRunning,
    /// Those that are running call nobody but people to whom a call was promised.
    OnlyCallbacks,
    /// Every number that it may be shown was shown as often as it may be.
    CallerIdsUsedUp,
}

impl App {
    /// Says why a contact is not dialled at this moment.
    ///
    /// # Errors
    /// The caller may not, or there is no such contact.
    pub async fn why_not(&self, who: &Principal, contact: ContactId) -> Result<WhyNotView, AppError> {
        who.may(Permission::Read)?;
        let (tenant, now) = (who.tenant, self.clock.now());
        let read = self.read(move |tx| {
            let found = get(tx, tenant, contact)?;
            let campaign = found.campaign;
            let body = definitions::load::<CampaignBody>(tx, tenant, campaign.0)?.body;
            let facts = feed::why_not(tx, tenant, contact, &body.suppression_lists, now)?
                .ok_or_else(|| AppError::not_found("contact", contact))?;
            let hours = match body.calling_hours {
                Some(id) => definitions::load::<CallingHoursBody>(tx, tenant, id)?.body.hours,
                None => CallingHours::cautious(),
            };
            let running = who_runs(tx, tenant, campaign, found.is_callback)?;
            Ok((facts, hours, running))
        });
        let (facts, hours, running) = read.await?;
        let groups = concerned(&facts, &running);
        let standstill = if groups.is_empty() {
            None
        } else {
            standstill(&groups, &self.floor.live(tenant).await?.groups)
        };
        let reasons = reasons(&facts, &hours, &running, standstill, now);
        Ok(WhyNotView { contact, callable: reasons.is_empty(), reasons })
    }
}

/// The group in whose hopper the contact is, or else every group that may call it; none if nobody will, or does already.
fn concerned(facts: &WhyNot, running: &Running) -> Vec<GroupId> {
    match (facts.claimed_by, running) {
        _ if facts.final_reason.is_some() || facts.has_unsettled_attempt => Vec::new(),
        (Some(hopper), _) => vec![hopper],
        (None, Running::Some(groups)) => groups.clone(),
        (None, _) => Vec::new(),
    }
}

/// What keeps all of these groups from calling anybody. What groups on other nodes do is not known here.
fn standstill(groups: &[GroupId], live: &[GroupLive]) -> Option<IdleReason> {
    let idle = |group: &GroupId| live.iter().find(|it| it.now.group == *group)?.now.idle_reason;
    let first = idle(groups.first()?)?;
    let stands_still = matches!(first, IdleReason::NoLines | IdleReason::CallerIdsUsedUp);
    (stands_still && groups.iter().all(|group| idle(group) == Some(first))).then_some(first)
}

/// Which of a campaign's groups are running.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Running {
    None,
    /// Only such as call nobody but people to whom a call was promised, and to this contact none was.
    OnlyForCallbacks,
    /// These may call the contact.
    Some(Vec<GroupId>),
}

fn who_runs(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    campaign: CampaignId,
    is_callback: bool,
) -> Result<Running, AppError> {
    let (mut may_call, mut only_callbacks) = (Vec::new(), false);
    let page = Page::first(PAGE_ROWS_MAX);
    let groups = definition_rows::list(tx, tenant, CampaignGroupBody::KIND, Some(campaign.0), &page)?;
    for group in groups.rows {
        if lease::stored_state(tx, GroupId(group.id))? == GroupState::Running {
            let body = definitions::load::<CampaignGroupBody>(tx, tenant, group.id)?.body;
            if is_callback || !body.settings.callbacks_only {
                may_call.push(GroupId(group.id));
            } else {
                only_callbacks = true;
            }
        }
    }
    Ok(match (may_call.is_empty(), only_callbacks) {
        (false, _) => Running::Some(may_call),
        (true, true) => Running::OnlyForCallbacks,
        (true, false) => Running::None,
    })
}

/// The rules in the order in which the feed asks them, then what keeps the group from dialling.
fn reasons(
    facts: &WhyNot,
    hours: &CallingHours,
    running: &Running,
    standstill: Option<IdleReason>,
    now: Time,
) -> Vec<WhyNotReason> {
    let mut reasons = Vec::new();
    let mut say = |rule, message: String, until| reasons.push(WhyNotReason { rule, message, until });
    if let Some(reason) = facts.final_reason {
        let word = serde_json::to_value(reason).ok().and_then(|word| word.as_str().map(str::to_owned));
        say(WhyNotRule::Final, format!("it is done: {}", word.unwrap_or_default()), None);
    }
    if facts.final_reason.is_none() && facts.expires_at.is_some_and(|at| at <= now) {
        say(WhyNotRule::Expired, "its time is over".to_owned(), None);
    }
    for (list, until) in &facts.suppressed_customer {
        say(WhyNotRule::CustomerSuppressed, format!("the customer is on suppression list {list}"), *until);
    }
    for entry in &facts.suppressed_numbers {
        let message = format!("phone {} is on suppression list {}", entry.position, entry.list);
        say(WhyNotRule::NumberSuppressed, message, entry.until);
    }
    for (position, status, attempts, attempts_max) in &facts.phones {
        let why = match status {
            PhoneStatus::Bad => "is of no use",
            PhoneStatus::Suppressed => "was suppressed",
            PhoneStatus::Exhausted => "has had all its attempts",
            PhoneStatus::Active if attempts_max.is_some_and(|max| *attempts >= max) => {
                "has had all its attempts"
            }
            PhoneStatus::Active => continue,
        };
        say(WhyNotRule::NumberNotDialable, format!("phone {position} {why}"), None);
    }
    if facts.final_reason.is_some() {
        return reasons;
    }
    if facts.next_at > now {
        say(WhyNotRule::NotYet, "its next attempt is later".to_owned(), Some(facts.next_at));
    }
    match &facts.bucket {
        None => {
            let message = format!("nobody knows the time zone of phone {}", facts.next_phone);
            say(WhyNotRule::NoZone, message, None);
        }
        Some(bucket) => {
            if let Openness::Closed { opens } = hours.openness(now, &bucket.zones, bucket.window) {
                let message = format!("it is outside the calling hours in {}", bucket.zones);
                say(WhyNotRule::OutsideHours, message, Some(opens).filter(|opens| *opens != Time::NEVER));
            }
        }
    }
    match standstill {
        Some(IdleReason::NoLines) => {
            let message = "no switch takes calls: none can be reached, or those that can are taken out of use (drained)";
            say(WhyNotRule::NoSwitch, message.to_owned(), None);
        }
        Some(IdleReason::CallerIdsUsedUp) => {
            let message = "every number that it may be shown was shown as often as it may be: wait, or give the caller \
                           id pool numbers or higher limits";
            say(WhyNotRule::CallerIdsUsedUp, message.to_owned(), None);
        }
        _ => {}
    }
    if facts.has_unsettled_attempt {
        say(WhyNotRule::BeingCalled, "it is being called".to_owned(), None);
    } else if let Some(group) = facts.claimed_by {
        let when =
            if standstill.is_some() { "to be dialled when that is over" } else { "soon to be dialled" };
        say(WhyNotRule::InHopper, format!("it is in the hopper of campaign group {group}, {when}"), None);
    }
    match running {
        Running::Some(_) => {}
        Running::None => {
            let message = "none of the campaign's groups is running: start one".to_owned();
            say(WhyNotRule::NoGroupRunning, message, None);
        }
        Running::OnlyForCallbacks => {
            let message =
                "the campaign's groups that are running call only people to whom a call was promised";
            say(WhyNotRule::OnlyCallbacks, message.to_owned(), None);
        }
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::{Bucket, FinalReason};

    fn facts() -> WhyNot {
        WhyNot {
            campaign: CampaignId(uuid::Uuid::from_u128(1)),
            feed_state: 1,
            final_reason: None,
            next_at: Time::EPOCH,
            expires_at: None,
            bucket: Some(Bucket { zones: "Europe/Paris".parse().unwrap(), window: None }),
            next_phone: 0,
            phones: vec![(0, PhoneStatus::Active, 0, None)],
            claimed_by: None,
            has_unsettled_attempt: false,
            suppressed_numbers: Vec::new(),
            suppressed_customer: Vec::new(),
        }
    }

    fn rules(facts: &WhyNot, running: bool, now: &str) -> Vec<WhyNotRule> {
        let running = if running { Running::Some(Vec::new()) } else { Running::None };
        let now = Time::parse_rfc3339(now).unwrap();
        reasons(facts, &CallingHours::cautious(), &running, None, now)
            .iter()
            .map(|reason| reason.rule)
            .collect()
    }

    const FRIDAY_NOON: &str = "2026-11-20T11:00:00Z";
    const SUNDAY_NOON: &str = "2026-11-22T11:00:00Z";

    #[test]
    fn nothing_stands_in_the_way_of_a_ready_contact_in_its_hours() {
        assert_eq!(rules(&facts(), true, FRIDAY_NOON), []);
    }

    #[test]
    fn hours_and_groups_are_asked() {
        assert_eq!(
            rules(&facts(), false, SUNDAY_NOON),
            [WhyNotRule::OutsideHours, WhyNotRule::NoGroupRunning]
        );
        let now = Time::parse_rfc3339(SUNDAY_NOON).unwrap();
        let running = Running::Some(Vec::new());
        let until = reasons(&facts(), &CallingHours::cautious(), &running, None, now)[0].until;
        assert_eq!(until, Some(Time::parse_rfc3339("2026-11-23T08:00:00Z").unwrap()));
    }

    #[test]
    fn a_contact_without_a_callback_is_told_that_groups_run_for_callbacks_alone() {
        let now = Time::parse_rfc3339(FRIDAY_NOON).unwrap();
        let told = reasons(&facts(), &CallingHours::cautious(), &Running::OnlyForCallbacks, None, now);
        assert_eq!(told.iter().map(|reason| reason.rule).collect::<Vec<_>>(), [WhyNotRule::OnlyCallbacks]);
    }

    #[test]
    fn a_group_that_stands_still_counts_where_no_other_may_call_the_contact() {
        use engine::DialMode;
        use engine::engine::GroupSnapshot;
        let [one, two] = [1, 2].map(|id| GroupId(uuid::Uuid::from_u128(id)));
        let live = |group, idle_reason| {
            let now = GroupSnapshot {
                group,
                state: GroupState::Running,
                dial_mode: DialMode::Progressive,
                hopper: 1,
                ringing: 0,
                waiting: 0,
                connected: 0,
                announcing: 0,
                agents_working: 1,
                agents_ready: 1,
                idle_reason,
            };
            GroupLive { name: String::new(), now, figures: Default::default() }
        };
        let away = Some(IdleReason::NoLines);
        let both = Running::Some(vec![one, two]);
        let of = |facts: &WhyNot, live: &[GroupLive]| standstill(&concerned(facts, &both), live);
        let claimed = WhyNot { claimed_by: Some(one), ..facts() };
        let one_is_away = [live(one, away), live(two, None)];
        assert_eq!(of(&claimed, &one_is_away), away);
        assert_eq!(of(&facts(), &one_is_away), None);
        assert_eq!(of(&facts(), &[live(one, away), live(two, away)]), away);
        assert_eq!(of(&facts(), &[live(one, away)]), None, "the other may be on another node");
        assert_eq!(of(&claimed, &[live(one, Some(IdleReason::AgentsBusy))]), None);
        let called = WhyNot { has_unsettled_attempt: true, ..claimed };
        assert_eq!(of(&called, &one_is_away), None);
        assert!(concerned(&facts(), &Running::None).is_empty());
    }

    #[test]
    fn what_keeps_the_whole_group_from_dialling_comes_before_the_hopper() {
        let now = Time::parse_rfc3339(FRIDAY_NOON).unwrap();
        let group = GroupId(uuid::Uuid::from_u128(7));
        let running = Running::Some(vec![group]);
        let claimed = WhyNot { claimed_by: Some(group), ..facts() };
        let told = |facts: &WhyNot, standstill| {
            let told = reasons(facts, &CallingHours::cautious(), &running, standstill, now);
            told.into_iter().map(|reason| (reason.rule, reason.message)).collect::<Vec<_>>()
        };
        let in_hopper = told(&claimed, None);
        assert!(in_hopper.len() == 1 && in_hopper[0].1.contains("soon"), "{in_hopper:?}");
        for (idle, rule) in [
            (IdleReason::NoLines, WhyNotRule::NoSwitch),
            (IdleReason::CallerIdsUsedUp, WhyNotRule::CallerIdsUsedUp),
        ] {
            let told_claimed = told(&claimed, Some(idle));
            assert_eq!(told_claimed.iter().map(|it| it.0).collect::<Vec<_>>(), [rule, WhyNotRule::InHopper]);
            assert!(!told_claimed[1].1.contains("soon"), "{told_claimed:?}");
            assert_eq!(told(&facts(), Some(idle)).iter().map(|it| it.0).collect::<Vec<_>>(), [rule]);
        }
    }

    #[test]
    fn a_contact_that_is_done_says_so_and_no_more() {
        let done = WhyNot { final_reason: Some(FinalReason::Closed), feed_state: 3, ..facts() };
        assert_eq!(rules(&done, false, SUNDAY_NOON), [WhyNotRule::Final]);
    }

    #[test]
    fn every_number_that_may_not_be_dialled_is_named() {
        let phones = vec![(0, PhoneStatus::Bad, 1, None), (1, PhoneStatus::Active, 3, Some(3))];
        let spent = WhyNot { phones, ..facts() };
        assert_eq!(
            rules(&spent, true, FRIDAY_NOON),
            [WhyNotRule::NumberNotDialable, WhyNotRule::NumberNotDialable]
        );
    }
}
