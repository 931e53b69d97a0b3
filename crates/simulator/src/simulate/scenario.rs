//! Scenarios, as their files say them. Every key has a default: an empty file is ten agents on the base population for
//! five days.

use std::collections::BTreeMap;

use engine::settings::OptimizeBy;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::policies::Policy;
use crate::population::{InvalidPopulation, Population};

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Days, 1 to 10000.
    pub days: u32,
    /// Hours of work in a day, up to 24.
    pub hours: f64,
    /// Local hour at which work begins, 0 to 23; hourly answer factors count from midnight.
    pub start_hour: u32,
    /// Fixes every choice of chance.
    pub seed: u64,
    /// Abandoned calls allowed, in per cent of those that people answer.
    pub cap_percent: f64,
    /// The part of the cap that the engine's own policy aims at.
    pub cap_share_used: f64,
    /// What the engine's own policy aims at under the cap.
    pub optimize_by: OptimizeBy,
    /// The aim in its unit: per cent of the agents' time, or seconds; not used with the abandonment rate.
    pub goal: f64,
    /// Whether the engine's own policy weighs each ringing call by its age.
    pub ring_age_conditioning: bool,
    /// Whether it withdraws calls that have rung for 15 s while agents are short.
    pub withdraw_when_short: bool,
    /// The people who are called, by name. Without any: the base population, called `people`.
    pub population: BTreeMap<String, Population>,
    /// Who calls whom. Without any: one group for the first population.
    pub group: Vec<GroupScenario>,
    /// Who works when. Without any: ten agents for all groups all day.
    pub agents: Vec<AgentsScenario>,
    /// How willing people are to answer over the day.
    pub change: Vec<Change>,
    /// Machines told from people.
    pub detection: Detection,
    /// What goes wrong.
    pub faults: Faults,
    /// The policies it is run under, by the names that [`Policy`] has: one name or a list.
    #[serde(deserialize_with = "one_or_more")]
    pub policy: Vec<String>,
}

/// A name, or a list of names.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a name or a list of names")
        }

        fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Vec<String>, E> {
            Ok(vec![name.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    deserializer.deserialize_any(Names)
}

/// A campaign group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct GroupScenario {
    /// Its name; agents name it. Without one: `group`, `group 2` and so on, by its place.
    pub name: String,
    /// Whose it is: the cap holds for each campaign by itself. Groups that name none are all of one.
    pub campaign: Option<String>,
    /// Whom it calls.
    pub population: Option<String>,
    /// Its part of the agents whom it shares with other groups, against theirs.
    pub weight: u32,
    /// Calls at once at most.
    pub lines_max: u32,
    /// Calls placed in a second at most.
    pub calls_per_second_max: u32,
    /// Seconds that a phone rings at most.
    pub ring_timeout_seconds: u16,
    /// People on its list in a day; 0 is without end.
    pub list: u64,
    /// How much people differ: their chances of an answer are spread by a beta distribution with these parameters
    /// around the population's own. Without it all are alike.
    pub spread: Option<Spread>,
}

/// Parameters of a beta distribution; its mean is scaled to the population's chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// First shape.
    pub alpha: f64,
    /// Second shape.
    pub beta: f64,
}

/// Some agents with the same day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct AgentsScenario {
    /// How many.
    pub count: u32,
    /// For which groups; all without it.
    pub groups: Vec<String>,
    /// When they come, in hours from the start of the day.
    pub from: f64,
    /// When they go; the end of the day without it.
    pub until: Option<f64>,
    /// Their breaks: all of these agents at once.
    #[serde(rename = "break")]
    pub breaks: Vec<Break>,
}

/// A break.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// When, in hours from the start of the day.
    pub at: f64,
    /// How long.
    pub minutes: f64,
    /// Seconds between one agent's leaving and the next one's; all at once without it.
    #[serde(default)]
    pub stagger_seconds: f64,
}

/// A change in how willing people are to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Change {
    /// Of which population; all without it.
    #[serde(default)]
    pub population: Option<String>,
    /// From when, in hours from the start of the day.
    #[serde(default)]
    pub at: f64,
    /// For how long; to the end of the day without it.
    #[serde(default)]
    pub minutes: Option<f64>,
    /// The chance of an answer is multiplied by this.
    #[serde(default = "one")]
    pub factor: f64,
    /// Or it swings: by this share up and down.
    #[serde(default)]
    pub swing: f64,
    /// The period of the swing.
    #[serde(default = "four")]
    pub swing_hours: f64,
}

fn one() -> f64 {
    1.0
}

fn four() -> f64 {
    4.0
}

/// Detection of answering machines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct Detection {
    /// Whether there is any; without it machines are connected to agents like people.
    pub enabled: bool,
    /// Seconds from answer to decision.
    pub seconds: f64,
    /// People taken for machines, in per cent.
    pub false_machine_percent: f64,
    /// Machines taken for people, in per cent.
    pub false_person_percent: f64,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
pub struct Faults {
    /// Answers that the engine hears of late, in per cent.
    pub late_answer_percent: f64,
    /// By how much.
    pub late_answer_seconds: f64,
    /// Ends of calls that the engine never hears of, in per cent; the switch is asked for its calls every half minute.
    pub lost_end_percent: f64,
    /// When the engine is killed and started again, in hours from the start of the day.
    pub restart_at: Vec<f64>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            days: 5,
            hours: 8.0,
            start_hour: 9,
            seed: 1,
            cap_percent: 3.0,
            cap_share_used: 0.85,
            optimize_by: OptimizeBy::AbandonmentRate,
            goal: 0.0,
            ring_age_conditioning: false,
            withdraw_when_short: true,
            population: BTreeMap::new(),
            group: Vec::new(),
            agents: Vec::new(),
            change: Vec::new(),
            detection: Detection::default(),
            faults: Faults::default(),
            policy: vec![Policy::Outdial.name()],
        }
    }
}

impl Default for GroupScenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            campaign: None,
            population: None,
            weight: 1,
            lines_max: 100_000,
            calls_per_second_max: 10_000,
            ring_timeout_seconds: 24,
            list: 0,
            spread: None,
        }
    }
}

impl Default for AgentsScenario {
    fn default() -> Self {
        Self { count: 10, groups: Vec::new(), from: 0.0, until: None, breaks: Vec::new() }
    }
}

impl Default for Detection {
    fn default() -> Self {
        Self { enabled: true, seconds: 0.0, false_machine_percent: 0.0, false_person_percent: 0.0 }
    }
}

/// Why a scenario cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidScenario {
    /// A number is out of range.
    #[error("{field} must be {allowed}")]
    OutOfRange {
        /// Which.
        field: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// A name leads to nothing.
    #[error("{field} names '{name}', which the scenario does not have")]
    Unknown {
        /// Where it is named.
        field: String,
        /// The name.
        name: String,
    },
    /// A population is not valid.
    #[error("population.{name}: {reason}")]
    Population {
        /// Which.
        name: String,
        /// What is wrong with it.
        reason: InvalidPopulation,
    },
    /// Two groups have one name.
    #[error("{field} is '{name}', like a group before it: each group needs its own name")]
    Twice {
        /// Where it is named again.
        field: String,
        /// The name.
        name: String,
    },
    /// There is no such policy.
    #[error(
        "'{0}' is no policy: outdial, progressive, ratio:L, vicidial-hard, vicidial-average, vicidial-tapered, erlang, samuelson or residual-life"
    )]
    Policy(String),
    /// The value of a key is wrong.
    #[error("{field}: {reason}")]
    Key {
        /// Which.
        field: String,
        /// What is wrong.
        reason: Box<InvalidScenario>,
    },
}

impl InvalidScenario {
    /// The key that is wrong, as a path such as `agents[1].count`; none if it is not one of the scenario's.
    pub fn field(&self) -> Option<String> {
        match self {
            Self::OutOfRange { field, .. }
            | Self::Unknown { field, .. }
            | Self::Twice { field, .. }
            | Self::Key { field, .. } => Some(field.clone()),
            Self::Population { name, reason } => {
                Some(reason.field().map_or_else(
                    || format!("population.{name}"),
                    |field| format!("population.{name}.{field}"),
                ))
            }
            Self::Policy(_) => None,
        }
    }
}

impl Scenario {
    /// The populations, the base population if none is named.
    pub fn populations(&self) -> BTreeMap<String, Population> {
        if self.population.is_empty() {
            return BTreeMap::from([("people".to_owned(), Population::default())]);
        }
        self.population.clone()
    }

    /// The groups, one if there is none, all with names.
    pub fn groups(&self) -> Vec<GroupScenario> {
        let mut groups =
            if self.group.is_empty() { vec![GroupScenario::default()] } else { self.group.clone() };
        for (index, group) in groups.iter_mut().enumerate().filter(|(_, group)| group.name.is_empty()) {
            group.name = if index == 0 { "group".to_owned() } else { format!("group {}", index + 1) };
        }
        groups
    }

    /// The policies it is run under.
    ///
    /// # Errors
    /// A name is that of no policy, or there is none.
    pub fn policies(&self) -> Result<Vec<Policy>, InvalidScenario> {
        if self.policy.is_empty() {
            let (field, allowed) = ("policy".to_owned(), "a name or a list of one name or more");
            return Err(InvalidScenario::OutOfRange { field, allowed });
        }
        let parsed = self.policy.iter().enumerate().map(|(index, name)| {
            let is_alone = self.policy.len() == 1;
            let field = if is_alone { "policy".to_owned() } else { format!("policy[{index}]") };
            name.parse().map_err(|reason| InvalidScenario::Key { field, reason: Box::new(reason) })
        });
        parsed.collect()
    }

    /// The agents, ten if none are named.
    pub fn shifts(&self) -> Vec<AgentsScenario> {
        if self.agents.is_empty() { vec![AgentsScenario::default()] } else { self.agents.clone() }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn validate(&self) -> Result<(), InvalidScenario> {
        let range = |field: &str, holds: bool, allowed| {
            if holds { Ok(()) } else { Err(InvalidScenario::OutOfRange { field: field.to_owned(), allowed }) }
        };
        range("days", (1..=10_000).contains(&self.days), "1 to 10000")?;
        range("hours", self.hours > 0.0 && self.hours <= 24.0, "above 0 to 24")?;
        range("start_hour", self.start_hour < 24, "0 to 23")?;
        range("cap_percent", (0.1..=50.0).contains(&self.cap_percent), "0.1 to 50")?;
        range("cap_share_used", (0.1..=1.0).contains(&self.cap_share_used), "0.1 to 1")?;
        match self.optimize_by {
            OptimizeBy::AbandonmentRate => {}
            OptimizeBy::AgentBusyFactor => {
                let percent = (1.0..=100.0).contains(&self.goal);
                range("goal", percent, "1 to 100, per cent of the agents' time")?;
            }
            OptimizeBy::AverageWait | OptimizeBy::AverageDistributionTime => {
                range("goal", (0.1..=600.0).contains(&self.goal), "0.1 to 600 seconds")?;
            }
        }
        self.policies()?;
        let populations = self.populations();
        for (name, population) in &populations {
            population
                .validate()
                .map_err(|reason| InvalidScenario::Population { name: name.clone(), reason })?;
        }
        let known = |field: String, name: &str| {
            if populations.contains_key(name) {
                Ok(())
            } else {
                Err(InvalidScenario::Unknown { field, name: name.to_owned() })
            }
        };
        let groups = self.groups();
        for (index, group) in groups.iter().enumerate() {
            if groups[..index].iter().any(|before| before.name == group.name) {
                let (field, name) = (format!("group[{index}].name"), group.name.clone());
                return Err(InvalidScenario::Twice { field, name });
            }
            if let Some(name) = &group.population {
                known(format!("group[{index}].population"), name)?;
            }
            range(&format!("group[{index}].weight"), (1..=100).contains(&group.weight), "1 to 100")?;
            range(&format!("group[{index}].lines_max"), group.lines_max > 0, "1 or more")?;
            let per_second = group.calls_per_second_max > 0;
            range(&format!("group[{index}].calls_per_second_max"), per_second, "1 or more")?;
            let ring = (15..=120).contains(&group.ring_timeout_seconds);
            range(&format!("group[{index}].ring_timeout_seconds"), ring, "15 to 120")?;
            if let Some(Spread { alpha, beta }) = group.spread {
                let good = |shape: f64| shape > 0.0 && shape <= 1000.0;
                range(
                    &format!("group[{index}].spread"),
                    good(alpha) && good(beta),
                    "two numbers above 0 to 1000",
                )?;
            }
        }
        for (index, shift) in self.shifts().iter().enumerate() {
            let field = |name: &str| format!("agents[{index}].{name}");
            range(&field("count"), (1..=100_000).contains(&shift.count), "1 to 100000")?;
            let until = shift.until.unwrap_or(self.hours);
            let comes = shift.from >= 0.0 && shift.from < until && shift.from < self.hours;
            range(&field("from"), comes, "0 or more, before until and before the end of the day")?;
            for name in &shift.groups {
                if !groups.iter().any(|group| group.name == *name) {
                    return Err(InvalidScenario::Unknown { field: field("groups"), name: name.clone() });
                }
            }
            for (nth, it) in shift.breaks.iter().enumerate() {
                let place = |name: &str| format!("agents[{index}].break[{nth}].{name}");
                range(&place("at"), (0.0..=24.0).contains(&it.at), "0 to 24")?;
                range(&place("minutes"), it.minutes > 0.0 && it.minutes <= 1440.0, "above 0 to 1440")?;
                range(&place("stagger_seconds"), (0.0..=3600.0).contains(&it.stagger_seconds), "0 to 3600")?;
            }
        }
        for (index, change) in self.change.iter().enumerate() {
            if let Some(name) = &change.population {
                known(format!("change[{index}].population"), name)?;
            }
            let place = |name: &str| format!("change[{index}].{name}");
            range(&place("at"), (0.0..=24.0).contains(&change.at), "0 to 24")?;
            let minutes = change.minutes.is_none_or(|minutes| minutes > 0.0 && minutes <= 1440.0);
            range(&place("minutes"), minutes, "above 0 to 1440")?;
            range(&place("factor"), (0.0..=100.0).contains(&change.factor), "0 to 100")?;
            range(&place("swing"), (0.0..=1.0).contains(&change.swing), "0 to 1")?;
            let period = change.swing_hours > 0.0 && change.swing_hours <= 1000.0;
            range(&place("swing_hours"), period, "above 0 to 1000")?;
        }
        let Detection { seconds, false_machine_percent, false_person_percent, .. } = self.detection;
        let percent = |field: &str, value: f64| range(field, (0.0..=100.0).contains(&value), "0 to 100");
        range("detection.seconds", (0.0..=60.0).contains(&seconds), "0 to 60")?;
        percent("detection.false_machine_percent", false_machine_percent)?;
        percent("detection.false_person_percent", false_person_percent)?;
        let faults = &self.faults;
        percent("faults.late_answer_percent", faults.late_answer_percent)?;
        percent("faults.lost_end_percent", faults.lost_end_percent)?;
        let late = (0.0..=3600.0).contains(&faults.late_answer_seconds);
        range("faults.late_answer_seconds", late, "0 to 3600")?;
        let restarts = faults.restart_at.iter().all(|at| *at >= 0.0 && *at < self.hours);
        range("faults.restart_at", restarts, "hours of 0 or more, before the end of the day")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_scenario_is_ten_agents_on_the_base_population() {
        let scenario: Scenario = serde_json::from_str("{}").unwrap();
        assert_eq!(scenario.validate(), Ok(()));
        assert_eq!(scenario.shifts()[0].count, 10);
        assert_eq!(scenario.populations()["people"], Population::default());
    }

    #[test]
    fn groups_without_names_are_named_by_their_places() {
        let scenario: Scenario = serde_json::from_str(r#"{"group": [{}, {"name": "b"}, {}]}"#).unwrap();
        assert_eq!(scenario.validate(), Ok(()));
        let names: Vec<_> = scenario.groups().into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["group", "b", "group 3"]);
    }

    #[test]
    fn a_scenario_names_one_policy_or_several_or_leaves_it_to_the_engines_own() {
        let policies = |text: &str| serde_json::from_str::<Scenario>(text).unwrap().policies();
        assert_eq!(policies("{}"), Ok(vec![Policy::Outdial]));
        assert_eq!(policies(r#"{"policy": "progressive"}"#), Ok(vec![Policy::Progressive]));
        assert_eq!(
            policies(r#"{"policy": ["outdial", "ratio:2"]}"#),
            Ok(vec![Policy::Outdial, Policy::Ratio(2.0)])
        );
        let refused = policies(r#"{"policy": ["outdial", "guess"]}"#).unwrap_err();
        assert_eq!(refused.field().unwrap(), "policy[1]");
        assert!(refused.to_string().starts_with("policy[1]: 'guess' is no policy"), "{refused}");
        assert_eq!(
            policies(r#"{"policy": []}"#).unwrap_err().to_string(),
            "policy must be a name or a list of one name or more"
        );
        assert!(serde_json::from_str::<Scenario>(r#"{"policy": 3}"#).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        let refused = |text: &str| {
            let scenario: Scenario = serde_json::from_str(text).unwrap();
            scenario.validate().unwrap_err().to_string()
        };
        assert_eq!(refused(r#"{"days": 0}"#), "days must be 1 to 10000");
        assert_eq!(refused(r#"{"optimize_by": "average_wait"}"#), "goal must be 0.1 to 600 seconds");
        assert_eq!(
            refused(r#"{"group": [{"population": "martians"}]}"#),
            "group[0].population names 'martians', which the scenario does not have"
        );
        assert_eq!(
            refused(r#"{"agents": [{"groups": ["sales"]}]}"#),
            "agents[0].groups names 'sales', which the scenario does not have"
        );
        assert!(
            refused(r#"{"group": [{"name": "a"}, {"name": "a"}]}"#)
                .starts_with("group[1].name is 'a', like a group before it")
        );
        assert_eq!(
            refused(r#"{"agents": [{"break": [{"at": 1, "minutes": 0}]}]}"#),
            "agents[0].break[0].minutes must be above 0 to 1440"
        );
        assert_eq!(
            refused(r#"{"faults": {"restart_at": [9]}}"#),
            "faults.restart_at must be hours of 0 or more, before the end of the day"
        );
        assert!(
            refused(r#"{"population": {"p": {"answer_probability": 2.0}}}"#).starts_with("population.p: ")
        );
        assert!(serde_json::from_str::<Scenario>(r#"{"dais": 3}"#).is_err());
    }
}
