//! How often numbers were shown.

use engine::CampaignId;
use engine::caller_id::ShownSoFar;
use store::records::attempts::{Attempt, AttemptState};
use store::records::caller_ids;

use crate::attempts::{attempt, store_all};
use crate::support::{Database, at, id, number, on_both_databases, tenant};

/// An attempt that showed a number at a second.
fn showing(of: u64, n: u64, caller_id: u64, seconds: i64) -> Attempt {
    Attempt { caller_id: Some(number(caller_id)), started_at: at(seconds), ..attempt(of, n) }
}

fn shown(database: &Database, of: u64, numbers: &[u64], day: i64, hour: i64) -> Vec<(u64, u32, u32, i64)> {
    let wanted: Vec<_> = numbers.iter().map(|n| number(*n)).collect();
    let rows =
        database.read(move |tx| caller_ids::shown(tx, tenant(of), &wanted, at(day), at(hour))).unwrap();
    let read = |row: ShownSoFar| {
        let last = row.number.digits() - number(0).digits();
        (last, row.this_hour, row.today, row.last_at.as_micros() / 1_000_000)
    };
    rows.into_iter().map(read).collect()
}

#[test]
fn every_attempt_that_showed_a_number_counts_from_when_it_was_decided_on() {
    on_both_databases(|database| {
        let open = Attempt {
            state: AttemptState::Open,
            result: None,
            ended_at: None,
            settled_at: None,
            ..showing(1, 6, 70, 7300)
        };
        let of_another_campaign = Attempt { campaign: CampaignId(id(21)), ..showing(1, 5, 70, 7200) };
        store_all(
            database,
            vec![
                showing(1, 1, 70, 99),
                showing(1, 2, 70, 100),
                showing(1, 3, 71, 3000),
                showing(1, 4, 70, 7199),
                of_another_campaign,
                open,
                // Not asked for, of another tenant, and without any.
                showing(1, 7, 72, 7300),
                showing(2, 8, 70, 7300),
                Attempt { caller_id: None, ..showing(1, 9, 70, 7300) },
            ],
        );
        // 70: one of the day before, then 100, 7199 and, in the hour that began at 7200, two.
        assert_eq!(shown(database, 1, &[70, 71, 73], 100, 7200), [(70, 2, 4, 7300), (71, 0, 1, 3000)]);
        assert_eq!(shown(database, 2, &[70, 71], 100, 7200), [(70, 1, 1, 7300)]);
        assert_eq!(shown(database, 1, &[70], 8000, 8000), []);
        assert_eq!(shown(database, 1, &[], 0, 0), []);
    });
}
