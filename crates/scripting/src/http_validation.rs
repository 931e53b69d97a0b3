//! Pre-call validation by an HTTP service, as Genesys Outbound Contact Server does it: one POST for each record with its
//! properties; 200 means dial, 409 with `{"GSW_CALL_RESULT": n}` means do not dial and treat the record as if a call had
//! ended with that result.

use std::time::Duration;

use engine::{CallResult, PreCallVerdict};
use serde_json::{Map, Value, json};

use crate::fetch::{FetchPolicy, Fetcher};
use crate::verdict::ScriptContact;
use crate::{ErrorKind, ScriptError};

/// A service that says who may be dialled.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Where it is.
    pub url: String,
    /// How long it may take.
    pub timeout: Duration,
    /// The call result of a record about which it says nothing in time.
    pub no_answer: CallResult,
}

/// Asks it about a record.
///
/// # Errors
/// It said what is not in the contract.
pub async fn validate(
    fetcher: &Fetcher,
    policy: &FetchPolicy,
    service: &Validation,
    contact: &ScriptContact,
    group: &str,
) -> Result<PreCallVerdict, ScriptError> {
    let options = json!({
        "method": "POST", "headers": {"content-type": "application/json"}, "body": record(contact, group).to_string(),
    });
    let arguments = json!([service.url, options]);
    let asked = tokio::time::timeout(service.timeout, fetcher.fetch(policy, &arguments)).await;
    let answer = match asked {
        Ok(Ok(answer)) => answer,
        // A service that cannot be reached gives no answer either.
        Ok(Err(reason)) if reason.starts_with("fetch: no answer") => {
            return Ok(PreCallVerdict::Treat(service.no_answer));
        }
        Ok(Err(reason)) => return Err(ScriptError::new(ErrorKind::Threw, reason)),
        Err(_) => return Ok(PreCallVerdict::Treat(service.no_answer)),
    };
    let status = answer["status"].as_u64().unwrap_or_default();
    match status {
        200 => Ok(PreCallVerdict::Dial { phone: None, caller_id: None }),
        409 => {
            let body: Value =
                serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
            let result = body["GSW_CALL_RESULT"].as_i64().and_then(CallResult::from_code);
            result.map(PreCallVerdict::Treat).ok_or_else(|| {
                let message = "the service answered 409 without a GSW_CALL_RESULT that is a call result";
                ScriptError::new(ErrorKind::BadVerdict, message)
            })
        }
        other => {
            let message = format!("the service answered {other}; 200 means dial, 409 means do not");
            Err(ScriptError::new(ErrorKind::BadVerdict, message))
        }
    }
}

/// A record's properties in the vendor's words; fields have their own names.
fn record(contact: &ScriptContact, group: &str) -> Value {
    let phone = contact.phones.iter().find(|phone| phone.position == contact.phone);
    let mut record = Map::new();
    record.insert("GSW_RECORD_ID".to_owned(), contact.id.clone().into());
    record.insert("GSW_CAMPAIGN_GROUP_NAME".to_owned(), group.into());
    record.insert("GSW_PHONE".to_owned(), phone.map(|phone| phone.number.clone()).into());
    record.insert("GSW_ATTEMPTS".to_owned(), contact.attempts.into());
    record.insert("GSW_CHAIN_ATTR".to_owned(), contact.external_id.clone().into());
    for (name, value) in &contact.fields {
        record.insert(name.clone(), value.clone());
    }
    Value::Object(record)
}
