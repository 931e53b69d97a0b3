//! Scenario files: read, checked, and every mistake told with its line.

use std::path::{Path, PathBuf};

use simulator::simulate::{InvalidScenario, Scenario};
use toml::de::{DeTable, DeValue};

/// Why a scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadScenario {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not TOML, or has keys or kinds of values that a scenario has not.
    #[error("{}:{line}: {what}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What TOML's reader says of it.
        what: String,
    },
    /// It says something that cannot be.
    #[error("{}:{line}: {reason}", path.display())]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What cannot be.
        reason: InvalidScenario,
    },
}

/// Reads a scenario file. Without a name in it, the scenario is called like the file.
///
/// # Errors
/// It cannot be read or is wrong; the error says where.
pub fn read_scenario(path: &Path) -> Result<Scenario, BadScenario> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| BadScenario::Unreadable { path: path.to_owned(), source })?;
    let mut scenario: Scenario = toml::from_str(&text).map_err(|error| {
        let line = line_at(&text, error.span().map_or(0, |span| span.start));
        BadScenario::Malformed { path: path.to_owned(), line, what: told(&error) }
    })?;
    if scenario.name.is_empty() {
        scenario.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    }
    scenario.validate().map_err(|reason| {
        let line = reason.field().map_or(1, |field| line_of(&text, &field));
        BadScenario::Invalid { path: path.to_owned(), line, reason }
    })?;
    Ok(scenario)
}

/// What TOML's reader says. Where it wants a distribution it does not know how one is written.
fn told(error: &toml::de::Error) -> String {
    let said = error.message().trim();
    let about_kinds = ["wanted exactly 1 element", "wanted string or table", "expected struct variant"];
    if about_kinds.iter().any(|words| said.contains(words)) {
        return format!(
            "{said}; a distribution is one table by its name, such as {{ lognormal = {{ mean = 100, cv = 1 }} }}"
        );
    }
    said.to_owned()
}

fn line_at(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
}

/// The line of a key such as `agents[1].count`, or of the nearest table around it that the file has.
fn line_of(text: &str, field: &str) -> usize {
    let Ok(table) = DeTable::parse(text) else { return 1 };
    let mut value = DeValue::Table(table.into_inner());
    let mut at = 0;
    let steps = field.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    for step in steps {
        let found = match step.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(step),
        };
        let Some(found) = found else { break };
        at = found.span().start;
        let inner = found.get_ref().clone();
        value = inner;
    }
    line_at(text, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.toml");
        std::fs::write(&path, text).unwrap();
        let said = read_scenario(&path).unwrap_err().to_string();
        said.replace(&path.display().to_string(), "odd.toml")
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_line() {
        assert_eq!(refused("hours = 8\ndays = 0\n"), "odd.toml:2: days must be 1 to 10000");
        let agents = "[[agents]]\ncount = 3\n\n[[agents]]\nfrom = 1\ncount = 0\n";
        assert_eq!(refused(agents), "odd.toml:6: agents[1].count must be 1 to 100000");
        let talk = "[population.p]\nanswer_probability = 0.3\ntalk = { exponential = { mean = -1 } }\n";
        assert_eq!(
            refused(talk),
            "odd.toml:3: population.p: talk: the mean must be a number above 0, not -1"
        );
        let breaks = "[[agents]]\nbreak = [\n  { at = 1, minutes = 5 },\n  { at = 2, minutes = -5 },\n]\n";
        let policies = "days = 1\npolicy = [\n  \"outdial\",\n  \"guess\",\n]\n";
        assert!(refused(policies).starts_with("odd.toml:4: policy[1]: 'guess' is no policy"));
        assert!(refused("policy = \"guess\"\n").starts_with("odd.toml:1: policy: 'guess' is no policy"));
        assert!(refused(breaks).starts_with("odd.toml:4: agents[0].break[1].minutes"), "{}", refused(breaks));
    }

    #[test]
    fn unknown_keys_and_wrong_kinds_are_refused_by_their_line() {
        assert!(
            refused("dais = 3\n").starts_with("odd.toml:1: unknown field `dais`"),
            "{}",
            refused("dais = 3\n")
        );
        assert!(refused("hours = 8\ndays = \"three\"\n").starts_with("odd.toml:2: invalid type"));
        assert!(refused("hours = \n").starts_with("odd.toml:1: "));
    }

    #[test]
    fn how_a_distribution_is_written_is_told_to_whoever_writes_it_otherwise() {
        for talk in ["100", "{}", "\"lognormal\"", "{ kind = \"lognormal\", mean = 100, cv = 1 }"] {
            let said = refused(&format!("[population.p]\ntalk = {talk}\n"));
            assert!(said.starts_with("odd.toml:2: "), "{said}");
            assert!(said.ends_with("such as { lognormal = { mean = 100, cv = 1 } }"), "{said}");
        }
        let said = refused("[population.p]\ntalk = { lognorm = { mean = 100 } }\n");
        assert!(
            said.starts_with("odd.toml:2: unknown variant `lognorm`, expected one of `constant`"),
            "{said}"
        );
    }
}
