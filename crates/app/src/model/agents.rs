//! Skills, agents and their telephones.

use std::collections::BTreeSet;

use engine::{PhoneNumber, SkillId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telephony::AgentPhone;

use super::{Definition, Reference};
use crate::AppError;

/// What a call is queued to and agents are proficient in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SkillBody {
    /// Its name.
    pub name: String,
}

impl Definition for SkillBody {
    const KIND: &'static str = "skill";
    fn name(&self) -> &str {
        &self.name
    }
}

/// How well an agent has a skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentSkill {
    /// The skill.
    pub skill: SkillId,
    /// 1 (least) to 100; the most proficient agent who is ready gets the call.
    #[serde(default = "proficiency_default")]
    pub proficiency: u8,
}

fn proficiency_default() -> u8 {
    50
}

/// A person who takes calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentBody {
    /// Their name.
    pub name: String,
    /// What they can do.
    #[serde(default)]
    pub skills: Vec<AgentSkill>,
    /// Their telephone. The simulated carrier needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telephone: Option<AgentTelephone>,
}

/// Where an agent is rung.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTelephone {
    /// A telephone number, in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<PhoneNumber>,
    /// Or an endpoint in the switch's own notation, such as `PJSIP/1001`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Rung once at the start of a session and held until its end, so that calls are there at once; else rung for each
    /// call.
    #[serde(default = "yes")]
    pub standing: bool,
}

fn yes() -> bool {
    true
}

impl AgentTelephone {
    /// Where the switch rings it; `field` is what the error names if that cannot be.
    pub(crate) fn checked(&self, field: &str) -> Result<AgentPhone, AppError> {
        match (&self.number, &self.endpoint) {
            (Some(number), None) => Ok(AgentPhone::Number(*number)),
            (None, Some(endpoint)) if is_endpoint(endpoint) => Ok(AgentPhone::Endpoint(endpoint.clone())),
            (None, Some(_)) => Err(AppError::invalid(
                "invalid_endpoint",
                &format!("{field}endpoint"),
                "an endpoint is like PJSIP/1001 or PJSIP/1001/sip:1001@10.0.0.7: at most 120 characters",
            )),
            _ => Err(AppError::invalid(
                "one_of_two",
                &format!("{field}number"),
                "a telephone has either a number or an endpoint",
            )),
        }
    }
}

/// A technology, a slash and a name. `Local/` would reach the dial plan, and with it whatever that reaches.
fn is_endpoint(text: &str) -> bool {
    let Some((technology, name)) = text.split_once('/') else { return false };
    let is_technology = !technology.is_empty()
        && technology.chars().all(|char| char.is_ascii_alphanumeric())
        && !technology.eq_ignore_ascii_case("local");
    let fits = |char: char| char.is_ascii_alphanumeric() || "/@:._+-;=".contains(char);
    is_technology && !name.is_empty() && text.len() <= 120 && name.chars().all(fits)
}

impl Definition for AgentBody {
    const KIND: &'static str = "agent";
    fn name(&self) -> &str {
        &self.name
    }
    fn references(&self) -> Vec<Reference> {
        let skill = |(index, own): (usize, &AgentSkill)| {
            Reference::new(SkillBody::KIND, own.skill.0, format!("skills[{index}].skill"))
        };
        self.skills.iter().enumerate().map(skill).collect()
    }
    fn check(&self) -> Result<(), AppError> {
        let mut seen = BTreeSet::new();
        for (index, own) in self.skills.iter().enumerate() {
            if !(1..=100).contains(&own.proficiency) {
                let field = format!("skills[{index}].proficiency");
                return Err(AppError::invalid("out_of_range", &field, "a proficiency is 1 to 100"));
            }
            if !seen.insert(own.skill) {
                let field = format!("skills[{index}].skill");
                return Err(AppError::invalid("named_twice", &field, "this skill is named twice"));
            }
        }
        self.telephone.as_ref().map_or(Ok(()), |telephone| telephone.checked("telephone.").map(drop))
    }
}
