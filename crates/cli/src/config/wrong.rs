//! Settings that can be read and make no sense, and where they are.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::anyhow;
use toml::de::{DeTable, DeValue};

/// A setting that makes no sense.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Which, from the top of the file: `server.root_key`; of several tables by number: `telephony.asterisk.0.weight`.
    key: String,
    /// What is wrong with it, and what to do.
    what: String,
}

impl Wrong {
    pub fn new(key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { key: key.into(), what: what.into() }
    }

    /// As whoever starts the program is told: with the variable that said it, or the line of the file. A setting that is
    /// missing is told with the line of the table that it is missing from.
    pub fn told(&self, file: Option<(&Path, &str)>, variables: &BTreeSet<String>) -> anyhow::Error {
        let names: Vec<&str> = self.key.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        let variable = format!("OUTDIAL_{}", names.join("_").to_uppercase());
        let (name, what) = (names.join("."), &self.what);
        if variables.contains(&variable) {
            return anyhow!("the environment variable {variable} is wrong: {name} {what}");
        }
        match file.and_then(|(path, text)| Some((path, line_of(text, &self.key)?))) {
            Some((path, line)) => {
                anyhow!("the configuration file {} is wrong: line {line}: {name} {what}", path.display())
            }
            None => anyhow!("{name} {what}"),
        }
    }
}

/// The line, from 1, of a setting, or of the innermost table around it that is there.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut parts = key.split('.');
    let mut found = document.get_ref().get(parts.next()?)?;
    for part in parts {
        let inner = match (found.get_ref(), part.parse::<usize>()) {
            (DeValue::Array(_), Ok(index)) => found.get_ref().get(index),
            (value, _) => value.get(part),
        };
        let Some(inner) = inner else { break };
        found = inner;
    }
    Some(1 + text.get(..found.span().start)?.matches('\n').count())
}
