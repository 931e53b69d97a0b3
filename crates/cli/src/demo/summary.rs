//! What the demonstration shows while it runs and says at its end.

use std::collections::BTreeMap;

use app::{App, AppError, Principal};
use engine::{AgentState, CampaignId, GroupId};
use serde::Serialize;
use store::feed::Counts;

use super::SINCE;

/// What came of the demonstration. Everything but the shares of time is read from the database.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// Attempts made.
    pub dialled: u64,
    /// Attempts by how they ended; the sum is `dialled`.
    pub results: BTreeMap<String, u64>,
    /// Calls that a person answered.
    pub answered: u64,
    /// Of those, ended by the key to be called no more.
    pub opted_out: u64,
    /// Calls that an agent was connected to.
    pub connected: u64,
    /// Of those that a person answered, ended without an agent and without the message that the call was for.
    pub abandoned: u64,
    /// Abandoned among answered.
    pub abandon_rate: f64,
    /// Share of the agents' time at work that they talked.
    pub talk_share: f64,
    /// Share of it that they talked or wrapped up.
    pub busy_share: f64,
    /// The best busy share that any pacing could reach with these people and agents at a cap of 3 %; null where none
    /// decides.
    pub u_star: Option<f64>,
    /// Contacts by state; the sum is all of them.
    pub contacts: BTreeMap<String, u64>,
    /// Calls that rang a number beside another call to it; must be 0.
    pub dialled_twice: u64,
}

/// Reads the outcome.
///
/// # Errors
/// The database cannot be read.
pub async fn outcome(
    app: &App,
    campaign: CampaignId,
    who: &Principal,
    group: GroupId,
    dialled_twice: u64,
) -> Result<Outcome, AppError> {
    let results = app.results_of_group(who.tenant, group, SINCE).await?;
    let counts = app.contact_counts(campaign).await?;
    let (answered, abandoned) = (results.answered_by_person(), results.abandoned());
    let mut named: BTreeMap<String, u64> =
        results.by_result.iter().map(|(result, count)| (result.name().to_owned(), *count)).collect();
    if results.open > 0 {
        named.insert("open".to_owned(), results.open);
    }
    Ok(Outcome {
        dialled: results.attempts(),
        results: named,
        answered,
        opted_out: results.opted_out.0,
        connected: results.connected,
        abandoned,
        abandon_rate: if answered == 0 { 0.0 } else { round(abandoned as f64 / answered as f64) },
        talk_share: 0.0,
        busy_share: 0.0,
        u_star: None,
        contacts: by_state(&counts),
        dialled_twice,
    })
}

fn by_state(counts: &Counts) -> BTreeMap<String, u64> {
    let states = [("waiting", counts.waiting), ("ready", counts.ready), ("claimed", counts.claimed)];
    let mut named: BTreeMap<String, u64> =
        states.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    named.insert("final".to_owned(), counts.done.iter().map(|(_, count)| count).sum());
    named
}

pub(super) fn round(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// A few lines for a person who watches, and how many contacts are left.
///
/// # Errors
/// The database cannot be read.
pub async fn lines(
    app: &App,
    who: &Principal,
    campaign: CampaignId,
    seconds: u64,
    best: Option<f64>,
) -> Result<(Vec<String>, u64), AppError> {
    let live = app.live(who).await?;
    let counts = app.contact_counts(campaign).await?;
    let left = counts.waiting + counts.ready + counts.claimed;
    let agents = |state| live.agents.iter().filter(|agent| agent.now.state == state).count();
    let mut lines = vec![format!(
        "{seconds:>4} s   agents    {:>4} ready {:>4} preview {:>4} reserved {:>4} on call {:>4} wrap-up {:>4} not ready   talk {:>2.0} %  busy {:>2.0} %{}",
        agents(AgentState::Ready),
        agents(AgentState::Preview),
        agents(AgentState::Reserved),
        agents(AgentState::OnCall),
        agents(AgentState::WrapUp),
        agents(AgentState::NotReady),
        live.talk_share.unwrap_or(0.0) * 100.0,
        live.busy_share.unwrap_or(0.0) * 100.0,
        best.map(|best| format!(" of {:.0} % possible", best * 100.0)).unwrap_or_default(),
    )];
    for group in &live.groups {
        let (now, figures) = (&group.now, &group.figures);
        lines.push(format!(
            "         lines     {:>4} ringing {:>4} waiting {:>4} hear a message {:>4} talking   {} dialled, {} answered, {} abandoned ({:.1} %)",
            now.ringing,
            now.waiting,
            now.announcing,
            now.connected,
            figures.dialled,
            figures.answered,
            figures.abandoned,
            figures.abandon_rate.unwrap_or(0.0) * 100.0,
        ));
        let results = figures.results.iter().map(|(result, count)| format!("{} {count}", result.name()));
        lines.push(format!("         results   {}", results.collect::<Vec<_>>().join(", ")));
    }
    lines.push(format!(
        "         contacts  {left} left: {} ready, {} for later, {} in hand",
        counts.ready, counts.waiting, counts.claimed
    ));
    Ok((lines, left))
}
