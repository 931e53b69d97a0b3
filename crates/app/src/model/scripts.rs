//! Server scripts as they are configured.

use engine::CallResult;
use schemars::JsonSchema;
use scripting::SOURCE_BYTES_MAX;
use serde::{Deserialize, Serialize};

use super::Definition;
use crate::AppError;

/// Longest time that a script may have.
const TIMEOUT_MS_MAX: u64 = 30_000;

/// A server script: JavaScript, or an HTTP service that validates before calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptBody {
    /// Its name, by which campaigns refer to it.
    pub name: String,
    /// An ES module that exports `executePreCallScript`, `executePostCallScript` or both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Instead of a source: a service that is asked before calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpValidation>,
    /// Milliseconds that it may take, waits included, 100 to 30 000.
    #[serde(default = "timeout_default")]
    pub timeout_ms: u64,
}

fn timeout_default() -> u64 {
    2000
}

/// A service that says before calls who may be dialled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpValidation {
    /// Where each record is sent to.
    pub url: String,
    /// The call result of a record about which it says nothing in time.
    #[serde(default = "no_answer_default")]
    pub no_answer_result: CallResult,
}

fn no_answer_default() -> CallResult {
    CallResult::SystemError
}

impl Definition for ScriptBody {
    const KIND: &'static str = "script";
    fn name(&self) -> &str {
        &self.name
    }
    fn script(&self) -> Option<&str> {
        self.source.as_deref()
    }
    fn check(&self) -> Result<(), AppError> {
        if !(100..=TIMEOUT_MS_MAX).contains(&self.timeout_ms) {
            return Err(AppError::invalid("out_of_range", "timeout_ms", "timeout_ms is 100 to 30000"));
        }
        match (&self.source, &self.http) {
            (Some(source), None) if source.len() > SOURCE_BYTES_MAX => {
                let message = format!("a script has at most {SOURCE_BYTES_MAX} bytes");
                Err(AppError::invalid("too_large", "source", message))
            }
            (Some(_), None) => Ok(()),
            (None, Some(http)) if !http.url.starts_with("http://") && !http.url.starts_with("https://") => {
                Err(AppError::invalid("bad_url", "http.url", "it begins with http:// or https://"))
            }
            (None, Some(_)) => Ok(()),
            _ => Err(AppError::invalid("bad_script", "source", "give either source or http")),
        }
    }
}
