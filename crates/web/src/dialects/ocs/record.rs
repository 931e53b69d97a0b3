//! Call report records and processed contacts.

use app::sinks::format::AttemptNotice;
use engine::change::PlannedNext;
use engine::{CallResult, FinalReason, PhoneKind, Time};
use serde_json::{Map, Value, json};

use super::{date_time, names, put_dial_mode};

/// `GSW_HIST_SEQUENCE_NUM` of the record at an attempt's start.
pub(super) const STARTED: u8 = 0;
/// `GSW_HIST_SEQUENCE_NUM` of the record when it is final; it supersedes the one before.
pub(super) const FINAL: u8 = 1;

/// `record_type`: a contact as the list has it, one with a promised call, one that must not be called.
const GENERAL: u8 = 2;
const CAMPAIGN_CALLBACK: u8 = 6;
const NO_CALL: u8 = 7;
/// `record_status`: to be called again, and done with.
const READY: u8 = 1;
const UPDATED: u8 = 3;

/// A record of an attempt.
pub(super) fn call_report(notice: &AttemptNotice, sequence: u8) -> Map<String, Value> {
    let mut body = record(notice);
    body.insert("GSW_HIST_SEQUENCE_NUM".into(), json!(sequence));
    body.insert("GSW_DATE_TIME".into(), json!(date_time(notice.at)));
    let Some(attempt) = &notice.attempt else { return body };
    put_dial_mode(&mut body, attempt.dial_mode, &notice.facts.settings);
    body.insert("GSW_CALL_ATTEMPT_GUID".into(), json!(attempt.id.0.simple().to_string()));
    body.insert("GSW_PHONE".into(), json!(attempt.number.to_string()));
    body.insert("GSW_CHAIN_N".into(), json!(attempt.phone));
    body.insert("GSW_CALL_TIME".into(), json!(seconds(attempt.started_at)));
    body.insert("GSW_START_PROCESSING".into(), json!(seconds(attempt.started_at)));
    if let Some(number) = attempt.caller_id {
        body.insert("GSW_CPN_DIGITS_SET".into(), json!(number.to_string()));
    }
    if sequence == STARTED {
        return body;
    }
    // What is known only at the end; the row may know more by now than the record of the start may tell.
    body.insert("GSW_CALL_RESULT".into(), json!(attempt.result.map(CallResult::code)));
    let is_abandoned = attempt.result.is_some_and(CallResult::is_abandonment);
    for (name, at) in [
        ("GSW_ANSWERED", attempt.answered_at),
        ("GSW_ABANDONED", attempt.ended_at.filter(|_| is_abandoned)),
        ("GSW_AGENT_ANSWERED", attempt.connected_at),
        ("GSW_AGENT_RELEASED", attempt.ended_at.filter(|_| attempt.connected_at.is_some())),
        ("GSW_ACW_COMPLETED", attempt.settled_at.filter(|_| attempt.connected_at.is_some())),
        ("GSW_COMPLETE_PROCESSING", attempt.settled_at),
    ] {
        if let Some(at) = at {
            body.insert(name.into(), json!(seconds(at)));
        }
    }
    if let Some(agent) = &notice.agent {
        body.insert("GSW_AGENT_ID".into(), json!(agent));
    }
    put_schedule(&mut body, notice);
    body
}

/// A contact reached "processed": it is done with, or has its plan.
pub(super) fn contact_processed(notice: &AttemptNotice) -> Map<String, Value> {
    let mut body = record(notice);
    body.insert("GSW_DATE_TIME".into(), json!(date_time(notice.at)));
    if let Some(attempt) = &notice.attempt {
        body.insert("GSW_CALL_ATTEMPT_GUID".into(), json!(attempt.id.0.simple().to_string()));
        body.insert("GSW_PHONE".into(), json!(attempt.number.to_string()));
        body.insert("GSW_CHAIN_N".into(), json!(attempt.phone));
        body.insert("GSW_CALL_RESULT".into(), json!(attempt.result.map(CallResult::code)));
        body.insert("GSW_CALL_TIME".into(), json!(seconds(attempt.started_at)));
        if let Some(disposition) = &attempt.disposition {
            body.insert("GSW_DISPOSITION".into(), json!(disposition));
        }
    }
    if let Some(contact) = &notice.contact {
        body.insert("GSW_ATTEMPTS".into(), json!(contact.attempts));
    }
    let (kind, status) = match &notice.next {
        Some(PlannedNext::Dial { callback: true, .. }) => (CAMPAIGN_CALLBACK, READY),
        Some(PlannedNext::Final { reason: FinalReason::Suppressed }) => (NO_CALL, UPDATED),
        Some(PlannedNext::Final { .. }) => (GENERAL, UPDATED),
        Some(PlannedNext::Dial { .. }) | None => (GENERAL, READY),
    };
    body.insert("GSW_RECORD_TYPE".into(), json!(kind));
    body.insert("GSW_RECORD_STATUS".into(), json!(status));
    put_schedule(&mut body, notice);
    body
}

/// What both tell of the contact.
fn record(notice: &AttemptNotice) -> Map<String, Value> {
    let mut body = names(&notice.facts);
    if let Some(source) = &notice.source {
        body.insert("GSW_CALLING_LIST".into(), json!(source));
    }
    if let Some(contact) = &notice.contact {
        body.insert("GSW_CHAIN_ID".into(), json!(contact.id.0.simple().to_string()));
        body.insert("GSW_CUSTOMER_ID".into(), json!(contact.external_id));
        let dialled = notice.attempt.as_ref().map(|attempt| attempt.phone);
        let kind = contact.phones.iter().find(|phone| Some(phone.position) == dialled).map(|it| it.kind);
        body.insert("GSW_PHONE_TYPE".into(), json!(phone_type(kind.unwrap_or_default())));
    }
    body
}

/// When the next call is planned, if one is.
fn put_schedule(body: &mut Map<String, Value>, notice: &AttemptNotice) {
    if let Some(PlannedNext::Dial { at, .. }) = &notice.next {
        body.insert("GSW_SCHEDULED_TIME".into(), json!(seconds(*at)));
    }
}

/// `contact_info_type`.
fn phone_type(kind: PhoneKind) -> u8 {
    match kind {
        PhoneKind::Home => 1,
        PhoneKind::Work => 2,
        PhoneKind::Mobile => 4,
        PhoneKind::Unknown | PhoneKind::Other => 0,
    }
}

/// An instant as the vendor's records hold it: whole seconds since 1970, UTC.
fn seconds(at: Time) -> i64 {
    at.as_micros().div_euclid(1_000_000)
}
