//! What is said to called parties.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Definition;
use crate::AppError;

/// Longest text of a message, in characters: some two and a half minutes read aloud.
pub const TEXT_LENGTH_MAX: usize = 2000;

/// Something that is said to called parties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageBody {
    /// Its name.
    pub name: String,
    /// What is said, 1 to 2000 characters: what people read who choose it, and what is spoken if no sound is uploaded.
    pub text: String,
    /// In which language it is spoken, as speech synthesis names its voices: `en`, `fr`, `en-us`.
    #[serde(default = "language_default")]
    pub language: String,
}

fn language_default() -> String {
    "en".to_owned()
}

impl Definition for MessageBody {
    const KIND: &'static str = "message";
    fn name(&self) -> &str {
        &self.name
    }
    fn check(&self) -> Result<(), AppError> {
        let length = self.text.chars().count();
        let control = |character: char| character.is_control() && character != '\n';
        if self.text.trim().is_empty() || length > TEXT_LENGTH_MAX || self.text.contains(control) {
            let message = "a message says 1 to 2000 characters, without control characters but line feeds";
            return Err(AppError::invalid("bad_text", "text", message));
        }
        let part = |part: &str| {
            (1..=8).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let begins_with_a_letter = self.language.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins_with_a_letter || self.language.len() > 24 || !self.language.split('-').all(part) {
            let message = "a language is written like en, fr or en-us";
            return Err(AppError::invalid("bad_language", "language", message));
        }
        Ok(())
    }
}
