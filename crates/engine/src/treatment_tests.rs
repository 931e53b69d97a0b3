use std::sync::Arc;

use super::*;
use crate::contact::{BucketId, Phone, PhoneKind, Rank};
use crate::ids::ContactId;
use uuid::Uuid;

fn phone(position: u8) -> Phone {
    Phone {
        position,
        number: format!("+3312345678{position}").parse().unwrap(),
        kind: PhoneKind::Unknown,
        status: PhoneStatus::Active,
        attempts: 0,
        attempts_max: None,
        caller_id: None,
        bucket: BucketId(1),
    }
}

fn contact(phones: u8) -> HopperContact {
    HopperContact {
        contact: ContactId(Uuid::from_u128(1)),
        source: crate::SourceId(Uuid::nil()),
        last_caller_id: None,
        rank: Rank(0),
        phones: (0..phones).map(phone).collect(),
        phone: 0,
        zones: Arc::new("Europe/Paris".parse().unwrap()),
        attempts: 0,
        last_result: None,
        last_result_in_a_row: 0,
        is_callback: false,
        promise: None,
        preferred_agent: None,
        expires_at: None,
        dial_until: Time::NEVER,
    }
}

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

fn noon() -> Time {
    at("2026-11-20T11:00:00Z")
}

fn ending(result: CallResult) -> Ending<'static> {
    Ending { at: noon(), result, disposition: None, callback_at: None }
}

fn rules(json: &str) -> Vec<Treatment> {
    serde_json::from_str(json).unwrap()
}

fn minutes_later(minutes: u64) -> Time {
    noon() + Duration::from_secs(minutes * 60)
}

#[test]
fn the_first_treatment_that_matches_wins() {
    let rules = rules(
        r#"[{"when":{"results":["busy"],"in_a_row_at_least":3},"then":{"action":"final"}},
            {"when":{"results":["busy"]},"then":{"action":"retry_in","minutes":5}},
            {"then":{"action":"final"}}]"#,
    );
    let mut contact = contact(1);
    let plan = decide(&rules, 10, &contact, &ending(CallResult::Busy));
    assert_eq!(plan.next, Next::Dial { phone: 0, at: minutes_later(5), band: Band::Retry });
    contact.last_result = Some(CallResult::Busy);
    contact.last_result_in_a_row = 2;
    assert_eq!(
        decide(&rules, 10, &contact, &ending(CallResult::Busy)).next,
        Next::Final(FinalReason::Treated)
    );
}

#[test]
fn the_cap_on_attempts_ends_a_contact_whatever_a_treatment_says() {
    let rules = rules(r#"[{"then":{"action":"retry_in","minutes":5}}]"#);
    let mut contact = contact(1);
    contact.attempts = 2;
    assert_eq!(
        decide(&rules, 3, &contact, &ending(CallResult::Busy)).next,
        Next::Final(FinalReason::AttemptsUsedUp)
    );
}

#[test]
fn a_retry_at_a_local_time_is_tomorrow_if_that_time_has_passed() {
    let rules = |time: &str| rules(&format!(r#"[{{"then":{{"action":"retry_at","time":"{time}"}}}}]"#));
    let next = |time| decide(&rules(time), 10, &contact(1), &ending(CallResult::NoAnswer)).next;
    // Noon in Paris.
    assert_eq!(
        next("18:00"),
        Next::Dial { phone: 0, at: at("2026-11-20T17:00:00Z"), band: Band::TimedRetry }
    );
    assert_eq!(
        next("09:00"),
        Next::Dial { phone: 0, at: at("2026-11-21T08:00:00Z"), band: Band::TimedRetry }
    );
}

#[test]
fn the_next_phone_skips_those_that_may_not_be_dialled_and_goes_round() {
    let rules = rules(r#"[{"then":{"action":"next_phone","minutes":30}}]"#);
    let mut contact = contact(3);
    contact.phones[1].status = PhoneStatus::Suppressed;
    let plan = decide(&rules, 10, &contact, &ending(CallResult::NoAnswer));
    assert_eq!(plan.next, Next::Dial { phone: 2, at: minutes_later(30), band: Band::Retry });
    contact.phone = 2;
    let plan = decide(&rules, 10, &contact, &ending(CallResult::NoAnswer));
    assert_eq!(plan.next, Next::Dial { phone: 0, at: minutes_later(30), band: Band::Retry });
}

#[test]
fn a_bad_number_is_left_for_the_next_and_ends_a_contact_that_has_no_other() {
    let plan = decide(&[], 10, &contact(2), &ending(CallResult::SitInvalidNumber));
    assert_eq!(plan.phone_status, PhoneStatus::Bad);
    assert_eq!(plan.next, Next::Dial { phone: 1, at: noon(), band: Band::Retry });
    let plan = decide(&[], 10, &contact(1), &ending(CallResult::SitInvalidNumber));
    assert_eq!(plan.next, Next::Final(FinalReason::NoPhoneLeft));
}

#[test]
fn a_cycle_waits_longer_each_time_and_then_moves_on() {
    let rules = rules(r#"[{"then":{"action":"cycle","minutes":10,"increment_minutes":5,"times":3}}]"#);
    let mut contact = contact(2);
    let next = |contact: &HopperContact| decide(&rules, 10, contact, &ending(CallResult::Busy)).next;
    assert_eq!(next(&contact), Next::Dial { phone: 0, at: minutes_later(10), band: Band::Retry });
    contact.last_result = Some(CallResult::Busy);
    contact.last_result_in_a_row = 1;
    assert_eq!(next(&contact), Next::Dial { phone: 0, at: minutes_later(15), band: Band::Retry });
    contact.last_result_in_a_row = 2;
    assert_eq!(next(&contact), Next::Dial { phone: 1, at: minutes_later(10), band: Band::Retry });
}

#[test]
fn a_number_whose_own_cap_is_reached_is_not_dialled_again() {
    let rules = rules(r#"[{"then":{"action":"retry_in","minutes":5}}]"#);
    let mut contact = contact(2);
    contact.phones[0].attempts_max = Some(1);
    let plan = decide(&rules, 10, &contact, &ending(CallResult::NoAnswer));
    assert_eq!(plan.phone_status, PhoneStatus::Exhausted);
    assert_eq!(plan.next, Next::Dial { phone: 1, at: minutes_later(5), band: Band::Retry });
}

#[test]
fn a_disposition_can_promise_a_call_end_a_contact_or_suppress_the_number() {
    let mut disposition = Disposition {
        code: "later".into(),
        name: "Call later".into(),
        value: DispositionValue::Neutral,
        contact_final: true,
        phone_final: false,
        callback: true,
        suppress: false,
    };
    let tomorrow = at("2026-11-21T11:00:00Z");
    let plan = |disposition: &Disposition, callback_at| {
        let ending = Ending { disposition: Some(disposition), callback_at, ..ending(CallResult::Answer) };
        decide(&[], 10, &contact(1), &ending)
    };
    assert_eq!(
        plan(&disposition, Some(tomorrow)).next,
        Next::Dial { phone: 0, at: tomorrow, band: Band::Callback }
    );
    assert_eq!(plan(&disposition, None).next, Next::Final(FinalReason::Treated));
    disposition.suppress = true;
    let suppressed = plan(&disposition, None);
    assert!(suppressed.suppress);
    assert_eq!(suppressed.next, Next::Final(FinalReason::Suppressed));
}

#[test]
fn whether_a_time_can_count_is_known_before_the_treatments_are_asked() {
    let treatments = [
        "[]",
        r#"[{"then":{"action":"final"}}]"#,
        r#"[{"then":{"action":"reschedule","otherwise_minutes":5}}]"#,
        r#"[{"when":{"dispositions":["later"]},"then":{"action":"reschedule","otherwise_minutes":5}}]"#,
        r#"[{"when":{"dispositions":["other"]},"then":{"action":"reschedule","otherwise_minutes":5}}]"#,
    ];
    let tomorrow = at("2026-11-21T11:00:00Z");
    let mut counted = 0;
    for (text, marks) in treatments.iter().flat_map(|text| (0..16_u8).map(move |marks| (text, marks))) {
        let disposition = Disposition {
            code: "later".into(),
            name: "Call later".into(),
            value: DispositionValue::Neutral,
            contact_final: marks & 1 > 0,
            phone_final: marks & 2 > 0,
            callback: marks & 4 > 0,
            suppress: marks & 8 > 0,
        };
        for said in [None, Some(&disposition)] {
            let rules = rules(text);
            let plan = |callback_at| {
                let ending = Ending { disposition: said, callback_at, ..ending(CallResult::Answer) };
                decide(&rules, 10, &contact(1), &ending)
            };
            let counts = plan(Some(tomorrow)) != plan(None);
            assert_eq!(takes_a_time(&rules, said), counts, "{text} with {said:?}");
            counted += usize::from(counts);
        }
    }
    assert!(counted > 0);
}
