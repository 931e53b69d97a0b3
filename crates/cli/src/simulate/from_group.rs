//! A scenario made of what a campaign group has on record: its list, hours and limits, and how its calls went.

use anyhow::Context;
use app::reports::{GroupRecord, RecordedCall};
use engine::detection::MachineAction;
use engine::{CallResult, Time};
use simulator::simulate::scenario::Detection;
use simulator::simulate::{AgentsScenario, GroupScenario, Scenario};
use simulator::{Distribution, Population};
use store::{Store, StoreOptions, StoreTarget};

use crate::config::Config;
use crate::{admin, serve};

/// With fewer calls than this the base population says more than the record.
const CALLS_MIN: usize = 200;
/// With fewer samples than this a time is not taken from the record.
const SAMPLES_MIN: usize = 50;
/// Bins of a histogram that is learned; each holds as many samples.
const BINS: usize = 20;

/// Reads the group and makes the scenario. What is not on record is the base population's, and that is said.
///
/// # Errors
/// The database cannot be opened, has no such group, or the group has nobody left to call.
pub async fn scenario(
    config: &Config,
    group: &str,
    tenant: Option<&str>,
    agents: u32,
) -> anyhow::Result<Scenario> {
    let target = StoreTarget::parse(&config.database.url).context("database.url is wrong")?;
    let store = Store::open(&target, StoreOptions::default())
        .await
        .with_context(|| format!("cannot open the database {}", serve::target_name(&config.database.url)))?;
    let app = admin::open_app(config, store).await?;
    let record = app.group_to_simulate(group, tenant).await?;
    // To a scenario a list of nobody is one without end.
    anyhow::ensure!(record.left > 0, "'{group}' has nobody left to call: there is nothing to simulate");
    if record.calls.len() < CALLS_MIN {
        say(&format!(
            "'{group}' has {} calls on record, fewer than {CALLS_MIN}: people are taken to be like the base population",
            record.calls.len()
        ));
    } else {
        say(&format!("learned from the latest {} calls of the campaign of '{group}'", record.calls.len()));
    }
    Ok(of(group, &record, agents))
}

#[expect(clippy::print_stderr, reason = "what the person at the terminal is told")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn of(name: &str, record: &GroupRecord, agents: u32) -> Scenario {
    let (start_hour, hours) = working_day(record);
    let predictive = &record.group.settings.predictive;
    let group = GroupScenario {
        name: name.to_owned(),
        population: Some(name.to_owned()),
        lines_max: record.group.settings.lines_max,
        weight: record.group.settings.weight,
        calls_per_second_max: record.group.settings.calls_per_second_max,
        ring_timeout_seconds: record.group.settings.ring_timeout_seconds,
        list: record.left,
        ..GroupScenario::default()
    };
    Scenario {
        name: name.to_owned(),
        days: 5,
        hours,
        start_hour,
        cap_percent: predictive.abandon_cap_percent,
        cap_share_used: predictive.cap_share_used,
        ring_age_conditioning: predictive.ring_age_conditioning,
        withdraw_when_short: predictive.withdraw_when_short,
        optimize_by: predictive.optimize_by,
        goal: predictive.goal,
        detection: Detection {
            enabled: record.group.settings.machine_action != MachineAction::Connect,
            false_machine_percent: predictive.machine_false_positive_percent,
            ..Detection::default()
        },
        population: [(name.to_owned(), population(record))].into(),
        group: vec![group],
        agents: vec![AgentsScenario { count: agents, ..AgentsScenario::default() }],
        ..Scenario::default()
    }
}

/// The hour at which the longest day of the week begins, and how many hours it has.
fn working_day(record: &GroupRecord) -> (u32, f64) {
    let weekly = &record.hours.weekly;
    let days = [
        &weekly.monday,
        &weekly.tuesday,
        &weekly.wednesday,
        &weekly.thursday,
        &weekly.friday,
        &weekly.saturday,
        &weekly.sunday,
    ];
    let spans = days.into_iter().filter_map(|windows| {
        let from = windows.iter().map(|window| window.from_minute()).min()?;
        let until = windows.iter().map(|window| window.until_minute()).max()?;
        Some((until - from, from))
    });
    let (minutes, from) = spans.max().unwrap_or((8 * 60, 9 * 60));
    (u32::from(from / 60), f64::from(minutes.clamp(60, 24 * 60)) / 60.0)
}

fn population(record: &GroupRecord) -> Population {
    let base = Population::default();
    let calls = &record.calls;
    if calls.len() < CALLS_MIN {
        return base;
    }
    let share = |wanted: fn(CallResult) -> bool| {
        calls.iter().filter(|call| wanted(call.result)).count() as f64 / calls.len() as f64
    };
    let answers = share(CallResult::answered_by_person);
    let seconds = |from: Option<Time>, until: Time| from.map(|from| until.since(from).as_secs_f64());
    let samples =
        |of: &dyn Fn(&RecordedCall) -> Option<f64>| calls.iter().filter_map(of).collect::<Vec<f64>>();
    let is_answer = |call: &&RecordedCall| call.connected_at.is_some();
    let talk = samples(&|call| {
        Some(call).filter(is_answer).and_then(|call| seconds(call.connected_at, call.ended_at))
    });
    let wrap = samples(&|call| {
        Some(call).filter(is_answer).map(|call| call.settled_at.since(call.ended_at).as_secs_f64())
    });
    let ring = samples(&|call| {
        let is_person = call.result.answered_by_person();
        call.answered_at.filter(|_| is_person).map(|at| at.since(call.started_at).as_secs_f64())
    });
    Population {
        answer_probability: answers,
        hourly_factor: hourly(record, answers),
        machine_probability: share(|result| result == CallResult::AnsweringMachine),
        busy_probability: share(|result| result == CallResult::Busy),
        invalid_number_probability: share(|result| {
            matches!(
                result,
                CallResult::SitInvalidNumber | CallResult::SitVacant | CallResult::SitOperatorIntercept
            )
        }),
        fax_probability: share(|result| result == CallResult::FaxDetected),
        congestion_probability: share(|result| {
            matches!(result, CallResult::SitReorder | CallResult::SitNoCircuit)
        }),
        rejected_probability: 0.0,
        talk: histogram(talk).unwrap_or(base.talk),
        wrap: histogram(wrap).unwrap_or(base.wrap),
        ring_human: histogram(ring).unwrap_or(base.ring_human),
        ..Population::default()
    }
}

/// How willing people are in each hour, where the record has enough calls of it.
fn hourly(record: &GroupRecord, answers: f64) -> [f64; 24] {
    let mut counts = [(0_u32, 0_u32); 24];
    for call in &record.calls {
        let hour = usize::try_from(record.zone.local(call.started_at).hour()).unwrap_or_default();
        counts[hour].0 += 1;
        counts[hour].1 += u32::from(call.result.answered_by_person());
    }
    counts.map(|(calls, answered)| {
        let is_enough = calls as usize >= SAMPLES_MIN && answers > 0.0;
        if is_enough { f64::from(answered) / f64::from(calls) / answers } else { 1.0 }
    })
}

/// Times as they were: bins between quantiles, each of the same weight.
fn histogram(mut seconds: Vec<f64>) -> Option<Distribution> {
    if seconds.len() < SAMPLES_MIN {
        return None;
    }
    seconds.sort_by(f64::total_cmp);
    let at = |bin: usize| seconds[(bin * (seconds.len() - 1)) / BINS];
    let mut edges: Vec<f64> = (0..=BINS).map(at).collect();
    // Equal times make bins without width.
    for bin in 1..edges.len() {
        edges[bin] = edges[bin].max(edges[bin - 1] + 0.001);
    }
    Some(Distribution::Histogram { weights: vec![1.0; edges.len() - 1], edges })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::CallingHours;
    use std::time::Duration;

    fn record(calls: usize) -> GroupRecord {
        let group = serde_json::json!({
            "name": "Sales", "campaign": uuid::Uuid::nil(), "skill": uuid::Uuid::nil(),
            "settings": {"predictive": {"abandon_cap_percent": 2.0}}
        });
        // Every fourth call is answered after 10 s, talked for 60 s and wrapped up in 20 s.
        let call = |n: usize| {
            let started_at = Time::from_micros(1_790_000_000_000_000) + Duration::from_secs(n as u64 * 60);
            let after = |seconds| started_at + Duration::from_secs(seconds);
            let is_answer = n.is_multiple_of(4);
            RecordedCall {
                started_at,
                result: if is_answer { CallResult::Answer } else { CallResult::NoAnswer },
                answered_at: is_answer.then(|| after(10)),
                connected_at: is_answer.then(|| after(10)),
                ended_at: after(if is_answer { 70 } else { 30 }),
                settled_at: after(if is_answer { 90 } else { 30 }),
            }
        };
        GroupRecord {
            group: serde_json::from_value(group).unwrap(),
            hours: CallingHours::cautious(),
            zone: engine::Zone::utc(),
            left: 5000,
            calls: (0..calls).map(call).collect(),
        }
    }

    #[test]
    fn what_is_on_record_becomes_the_people_of_the_scenario() {
        let scenario = of("Sales", &record(1000), 12);
        scenario.validate().unwrap();
        let people = &scenario.population["Sales"];
        assert!((people.answer_probability - 0.25).abs() < 0.01);
        let mean = |times: &Distribution| match times {
            Distribution::Histogram { edges, .. } => edges[BINS / 2],
            other => panic!("{other:?}"),
        };
        assert!((mean(&people.talk) - 60.0).abs() < 0.1 && (mean(&people.wrap) - 20.0).abs() < 0.1);
        assert_eq!((scenario.start_hour, scenario.hours, scenario.group[0].list), (9, 11.0, 5000));
        assert!((scenario.cap_percent - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_calendar_around_the_clock_is_a_day_of_24_hours() {
        let around_the_clock = GroupRecord { hours: CallingHours::always(), ..record(0) };
        let scenario = of("Sales", &around_the_clock, 3);
        scenario.validate().unwrap();
        assert_eq!((scenario.start_hour, scenario.hours), (0, 24.0));
    }

    #[test]
    fn what_the_group_does_with_machines_and_what_it_aims_at_is_taken_over() {
        let mut record = record(0);
        record.group.settings.machine_action = MachineAction::Connect;
        record.group.settings.predictive.machine_false_positive_percent = 1.5;
        record.group.settings.predictive.optimize_by = engine::settings::OptimizeBy::AgentBusyFactor;
        record.group.settings.predictive.goal = 70.0;
        let scenario = of("Sales", &record, 3);
        scenario.validate().unwrap();
        assert!(!scenario.detection.enabled);
        assert_eq!((scenario.detection.false_machine_percent, scenario.goal), (1.5, 70.0));
    }

    #[test]
    fn with_little_on_record_people_are_like_the_base_population() {
        let scenario = of("Sales", &record(10), 3);
        scenario.validate().unwrap();
        assert_eq!(scenario.population["Sales"], Population::default());
    }
}
