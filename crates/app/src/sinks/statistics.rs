//! What comes of groups' calls, worked out from what is stored.
//!
//! - **Hit ratio**: attempts that a person answered ÷ attempts that ended, in the span.
//! - **Overdial rate**: attempts that a person answered without an agent ÷ attempts that a person answered, in the span.
//! - **Busy factor**: of the agents with the group's skill who are at work now: time on calls or finishing them ÷ time
//!   at work, both since they came to work or since the span began, whichever is later. Calls of all groups count.
//! - **Time to complete**: contacts that are not done with ÷ contacts that were done with in a second of the span, of the
//!   campaign as a whole (its groups share its contacts) or of one source. 0 if none is left.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use engine::{AgentId, CampaignId, GroupId, SkillId, SourceId, TenantId, Time};
use store::Tx;
use store::figures::{self, CallFigures};

use super::format::{GroupStatistics, SourceStatistics};
use crate::AppError;
use crate::definitions::load_all;
use crate::model::{AgentBody, SourceBody};

/// Contacts are not counted again before this many times what the counting took: it never takes more than a hundredth of
/// the database's time, however long the list.
const COUNT_SPACING: u32 = 100;

/// How many contacts of each source are left, kept between turns.
#[derive(Clone, Debug)]
pub(super) struct Left {
    counted_at: Instant,
    took: Duration,
    by_source: BTreeMap<SourceId, u64>,
}

/// Counts of contacts that were made lately.
pub(super) type LeftCounts = HashMap<CampaignId, Left>;

/// Works figures out within one transaction; what was read once is not read again.
pub(super) struct Figures {
    tenant: TenantId,
    from: Time,
    until: Time,
    agents: Option<Vec<(AgentId, Vec<SkillId>)>>,
    sources: Option<BTreeMap<SourceId, (CampaignId, String)>>,
    calls: HashMap<CampaignId, Vec<CallFigures>>,
    /// Counts of contacts, to be kept.
    pub left: LeftCounts,
}

impl Figures {
    /// Figures of the span `window` before `until`.
    pub fn new(tenant: TenantId, until: Time, window: Duration, left: LeftCounts) -> Self {
        let from = until - window;
        Self { tenant, from, until, agents: None, sources: None, calls: HashMap::new(), left }
    }

    /// A source's name, if it is still there.
    pub fn source_name(&mut self, tx: &mut Tx<'_>, source: SourceId) -> Result<Option<String>, AppError> {
        Ok(self.sources(tx)?.get(&source).map(|(_, name)| name.clone()))
    }

    fn sources(&mut self, tx: &mut Tx<'_>) -> Result<&BTreeMap<SourceId, (CampaignId, String)>, AppError> {
        if self.sources.is_none() {
            let all = load_all::<SourceBody>(tx, self.tenant)?;
            let entry =
                |it: crate::model::Stored<SourceBody>| (SourceId(it.id), (it.body.campaign, it.body.name));
            self.sources = Some(all.into_iter().map(entry).collect());
        }
        Ok(self.sources.get_or_insert_default())
    }

    /// What comes of a group's calls.
    pub fn of(
        &mut self,
        tx: &mut Tx<'_>,
        group: GroupId,
        campaign: CampaignId,
        skill: SkillId,
    ) -> Result<GroupStatistics, AppError> {
        let seconds = self.until.since(self.from).as_secs_f64();
        let busy_factor = self.busy_factor(tx, skill)?;
        let left = self.left(tx, campaign)?;
        let names: Vec<(SourceId, String)> = self
            .sources(tx)?
            .iter()
            .filter(|(_, (of, _))| *of == campaign)
            .map(|(id, (_, name))| (*id, name.clone()))
            .collect();
        if !self.calls.contains_key(&campaign) {
            let calls = figures::calls(tx, campaign, self.from, self.until)?;
            self.calls.insert(campaign, calls);
        }
        let calls = &self.calls[&campaign];
        let of_group = Sum::of(calls.iter().filter(|it| it.group == group));
        let of_campaign = Sum::of(calls);
        let source = |(id, name): (SourceId, String)| {
            let own = Sum::of(calls.iter().filter(|it| it.group == group && it.source == id));
            let all = Sum::of(calls.iter().filter(|it| it.source == id));
            SourceStatistics {
                source: name,
                hit_ratio: ratio(own.answered, own.ended),
                time_to_complete_seconds: all.time_to_complete(left.get(&id).copied().unwrap_or(0), seconds),
            }
        };
        Ok(GroupStatistics {
            busy_factor,
            overdial_rate: ratio(of_group.abandoned, of_group.answered),
            hit_ratio: ratio(of_group.answered, of_group.ended),
            time_to_complete_seconds: of_campaign.time_to_complete(left.values().sum(), seconds),
            sources: names.into_iter().map(source).collect(),
        })
    }

    fn busy_factor(&mut self, tx: &mut Tx<'_>, skill: SkillId) -> Result<Option<f64>, AppError> {
        if self.agents.is_none() {
            let all = load_all::<AgentBody>(tx, self.tenant)?;
            let entry = |it: crate::model::Stored<AgentBody>| {
                (AgentId(it.id), it.body.skills.iter().map(|own| own.skill).collect())
            };
            self.agents = Some(all.into_iter().map(entry).collect());
        }
        let agents = self.agents.iter().flatten().filter(|(_, skills)| skills.contains(&skill));
        let agents: Vec<AgentId> = agents.map(|(agent, _)| *agent).collect();
        let (busy, at_work) = figures::busy(tx, self.tenant, &agents, self.from, self.until)?;
        Ok((!at_work.is_zero()).then(|| busy.as_secs_f64() / at_work.as_secs_f64()))
    }

    fn left(&mut self, tx: &mut Tx<'_>, campaign: CampaignId) -> Result<BTreeMap<SourceId, u64>, AppError> {
        if let Some(left) = self.left.get(&campaign)
            && left.counted_at.elapsed() < left.took * COUNT_SPACING
        {
            return Ok(left.by_source.clone());
        }
        let counted_at = Instant::now();
        let by_source: BTreeMap<SourceId, u64> = figures::left(tx, campaign)?.into_iter().collect();
        let left = Left { counted_at, took: counted_at.elapsed(), by_source: by_source.clone() };
        self.left.insert(campaign, left);
        Ok(by_source)
    }
}

#[derive(Default)]
struct Sum {
    ended: u64,
    answered: u64,
    abandoned: u64,
    finished: u64,
}

impl Sum {
    fn of<'a>(calls: impl IntoIterator<Item = &'a CallFigures>) -> Self {
        calls.into_iter().fold(Self::default(), |sum, it| Self {
            ended: sum.ended + it.ended,
            answered: sum.answered + it.answered,
            abandoned: sum.abandoned + it.abandoned,
            finished: sum.finished + it.finished,
        })
    }

    fn time_to_complete(&self, left: u64, seconds: f64) -> Option<u64> {
        if left == 0 {
            return Some(0);
        }
        (self.finished > 0).then(|| (left as f64 * seconds / self.finished as f64).round() as u64)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_to_complete_is_what_is_left_at_the_present_pace() {
        let sum = Sum { finished: 30, ..Sum::default() };
        assert_eq!(sum.time_to_complete(60, 600.0), Some(1200));
        assert_eq!(sum.time_to_complete(0, 600.0), Some(0));
        assert_eq!(Sum::default().time_to_complete(60, 600.0), None);
    }

    #[test]
    fn a_ratio_of_nothing_is_not_known() {
        assert_eq!(ratio(0, 0), None);
        assert_eq!(ratio(3, 10), Some(0.3));
    }
}
