//! The history of attempts.

use std::time::Duration;

use engine::change::{Evidence, Heard};
use engine::{AgentId, AttemptId, CallResult, CampaignId, ContactId, DialMode, GroupId};
use store::records::attempts::{self, Attempt, AttemptFilter, AttemptState, GroupResults};
use store::{StoreError, Tx, values};

use crate::support::{Database, all_pages, at, id, number, on_both_databases, tenant, two_tenants};

const GROUP: u64 = 60;

pub fn attempt(of: u64, n: u64) -> Attempt {
    Attempt {
        id: AttemptId(id(n)),
        tenant: tenant(of),
        campaign: CampaignId(id(20)),
        group: GroupId(id(GROUP)),
        contact: ContactId(id(5000 + n)),
        phone: 1,
        number: number(n),
        attempt_number: 2,
        dial_mode: DialMode::Progressive,
        caller_id: Some(number(999)),
        agent: None,
        state: AttemptState::Settled,
        // Three to an instant, so that pages break within one.
        started_at: at(100 + (n / 3) as i64),
        ringing_at: None,
        answered_at: None,
        connected_at: None,
        ended_at: Some(at(200)),
        settled_at: Some(at(210)),
        result: Some(CallResult::NoAnswer),
        disposition: None,
        notes: None,
        evidence: Evidence::default(),
        transfer: None,
    }
}

/// Writes the row as it is, so that these tests depend on no other part of the store.
fn insert(tx: &mut Tx<'_>, attempt: &Attempt) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO attempt (id, tenant_id, campaign_id, group_id, contact_id, phone, number, attempt_number,
             dial_mode, caller_id, agent_id, epoch, state, started_at, ringing_at, answered_at, connected_at,
             ended_at, settled_at, result, disposition, notes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
        &values![
            attempt.id,
            attempt.tenant,
            attempt.campaign,
            attempt.group,
            attempt.contact,
            attempt.phone,
            attempt.number,
            attempt.attempt_number,
            attempt.dial_mode.code(),
            attempt.caller_id,
            attempt.agent,
            attempt.state.code(),
            attempt.started_at,
            attempt.ringing_at,
            attempt.answered_at,
            attempt.connected_at,
            attempt.ended_at,
            attempt.settled_at,
            attempt.result.map(CallResult::code),
            attempt.disposition.as_deref(),
            attempt.notes.as_deref()
        ],
    )?;
    Ok(())
}

pub fn store_all(database: &Database, attempts: Vec<Attempt>) {
    two_tenants(database);
    database.write(move |tx| attempts.iter().try_for_each(|attempt| insert(tx, attempt))).unwrap();
}

fn listed(database: &Database, of: u64, filter: AttemptFilter) -> Vec<Attempt> {
    all_pages(2, |page| database.read(move |tx| attempts::page(tx, tenant(of), &filter, &page)).unwrap())
}

fn results(database: &Database, of: u64, since: i64) -> GroupResults {
    database
        .read(move |tx| attempts::results_of_group(tx, tenant(of), GroupId(id(GROUP)), at(since)))
        .unwrap()
}

#[test]
fn an_attempt_reads_back_as_it_was_stored() {
    on_both_databases(|database| {
        let talked = Attempt {
            agent: Some(AgentId(id(900))),
            ringing_at: Some(at(101)),
            answered_at: Some(at(102)),
            connected_at: Some(at(103)),
            result: Some(CallResult::Answer),
            disposition: Some("sale".into()),
            notes: Some("wants two".into()),
            ..attempt(1, 1)
        };
        let open = Attempt {
            state: AttemptState::Open,
            ended_at: None,
            settled_at: None,
            result: None,
            caller_id: None,
            ..attempt(1, 2)
        };
        store_all(database, vec![talked.clone(), open.clone()]);
        let found = |of, n| database.read(move |tx| attempts::get(tx, tenant(of), AttemptId(id(n)))).unwrap();
        assert_eq!(found(1, 1), Some(talked));
        assert_eq!(found(1, 2), Some(open));
        assert_eq!(found(1, 3), None);
        assert_eq!(found(2, 1), None, "it is another tenant's");
    });
}

#[test]
fn paging_returns_every_attempt_of_the_tenant_once_the_newest_first() {
    on_both_databases(|database| {
        let mut all: Vec<_> = (1..=8).map(|n| attempt(1, n)).collect();
        store_all(database, [all.clone(), vec![attempt(2, 9)]].concat());
        all.reverse();
        assert_eq!(listed(database, 1, AttemptFilter::default()), all);
        assert_eq!(listed(database, 2, AttemptFilter::default()), [attempt(2, 9)]);
    });
}

#[test]
fn every_filter_narrows_the_history() {
    on_both_databases(|database| {
        let mut all: Vec<_> = (0..6).map(|n| attempt(1, n)).collect();
        all[0].campaign = CampaignId(id(21));
        all[1].group = GroupId(id(61));
        all[2].agent = Some(AgentId(id(900)));
        all[3].result = Some(CallResult::Busy);
        store_all(database, all);
        let any = AttemptFilter::default();
        let found = |filter| listed(database, 1, filter).iter().map(|attempt| attempt.id).collect::<Vec<_>>();
        let ids = |ids: &[u64]| ids.iter().map(|n| AttemptId(id(*n))).collect::<Vec<_>>();
        assert_eq!(found(AttemptFilter { campaign: Some(CampaignId(id(21))), ..any }), ids(&[0]));
        assert_eq!(found(AttemptFilter { group: Some(GroupId(id(61))), ..any }), ids(&[1]));
        assert_eq!(found(AttemptFilter { agent: Some(AgentId(id(900))), ..any }), ids(&[2]));
        assert_eq!(found(AttemptFilter { result: Some(CallResult::Busy), ..any }), ids(&[3]));
        assert_eq!(found(AttemptFilter { contact: Some(ContactId(id(5004))), ..any }), ids(&[4]));
        assert_eq!(found(AttemptFilter { since: Some(at(101)), ..any }), ids(&[5, 4, 3]));
        assert_eq!(found(AttemptFilter { until: Some(at(101)), ..any }), ids(&[2, 1, 0]));
        let both = AttemptFilter { since: Some(at(101)), result: Some(CallResult::NoAnswer), ..any };
        assert_eq!(found(both), ids(&[5, 4]));
    });
}

#[test]
fn what_came_of_a_group_is_counted_and_its_talk_time_added_up() {
    on_both_databases(|database| {
        let ending = |n, result| Attempt { result: Some(result), ..attempt(1, n) };
        let talk = |n, seconds: i64| Attempt {
            connected_at: Some(at(200 - seconds)),
            ..ending(n, CallResult::Answer)
        };
        let open = Attempt { state: AttemptState::Open, ended_at: None, result: None, ..attempt(1, 9) };
        let before = Attempt { started_at: at(50), ..talk(8, 30) };
        let other_group = Attempt { group: GroupId(id(61)), ..talk(7, 30) };
        store_all(
            database,
            vec![
                talk(1, 20),
                talk(2, 25),
                ending(3, CallResult::Abandoned),
                ending(4, CallResult::Dropped),
                ending(5, CallResult::NoAnswer),
                ending(6, CallResult::Busy),
                other_group,
                before,
                open,
            ],
        );
        let results = results(database, 1, 100);
        assert_eq!(results.talk_time, Duration::from_secs(45));
        assert_eq!((results.attempts(), results.open), (7, 1));
        assert_eq!((results.answered_by_person(), results.abandoned()), (4, 2));
        let by_result: Vec<_> = results.by_result.iter().map(|(result, count)| (*result, *count)).collect();
        let once = |result| (result, 1);
        let expected = [
            once(CallResult::Busy),
            once(CallResult::NoAnswer),
            once(CallResult::Abandoned),
            once(CallResult::Dropped),
            (CallResult::Answer, 2),
        ];
        assert_eq!(by_result, expected);
    });
}

#[test]
fn who_was_connected_more_than_two_seconds_after_the_answer_counts_as_abandoned() {
    on_both_databases(|database| {
        let connected = |n, seconds: i64| Attempt {
            result: Some(CallResult::Answer),
            answered_at: Some(at(150)),
            connected_at: Some(at(150 + seconds)),
            ..attempt(1, n)
        };
        let greeted = connected(4, 20);
        let heard_a_message = connected(5, 9);
        let (greeted_id, heard_id) = (greeted.id, heard_a_message.id);
        store_all(
            database,
            vec![connected(1, 1), connected(2, 2), connected(3, 3), greeted, heard_a_message],
        );
        // A greeting of eighteen seconds that was listened to, and the message that tells what the call is for.
        let listened = "UPDATE attempt SET detected_at = $2 WHERE id = $1";
        let heard = "UPDATE attempt SET message = $2 WHERE id = $1";
        database
            .write(move |tx| {
                tx.execute(listened, &values![greeted_id, at(168)])?;
                tx.execute(heard, &values![heard_id, Heard::Campaign.code()])
            })
            .unwrap();
        let results = results(database, 1, 0);
        assert_eq!((results.connected, results.connected_late), (5, 1));
        assert_eq!((results.answered_by_person(), results.abandoned()), (5, 1));
    });
}

#[test]
fn no_tenant_counts_anothers_attempts() {
    on_both_databases(|database| {
        store_all(database, vec![attempt(1, 1)]);
        assert_eq!(results(database, 2, 0), GroupResults::default());
    });
}
