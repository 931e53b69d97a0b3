//! What schedules and sequences did.

use std::time::Duration;

use engine::{GroupId, Time};
use store::records::schedules::{self, Claim, PlannedRun};

use crate::support::{Database, id, on_both_databases, tenant, two_tenants};

const DUE: Time = Time::from_micros(1_000_000_000);

fn run(n: u64, at: Time) -> PlannedRun {
    PlannedRun {
        id: id(n),
        tenant: tenant(1),
        plan: id(50),
        due: DUE,
        step: 0,
        group: GroupId(id(51)),
        action: "load".to_owned(),
        outcome: "started".to_owned(),
        detail: None,
        at,
    }
}

fn claim(database: &Database, run: PlannedRun) -> Claim {
    database.write(move |tx| schedules::claim(tx, &run)).unwrap()
}

#[test]
fn a_step_is_one_nodes_until_it_is_over_given_back_or_left_for_a_minute() {
    on_both_databases(|database| {
        two_tenants(database);
        let look = || database.read(|tx| schedules::look(tx, &run(1, DUE))).unwrap();
        assert_eq!(look(), Claim::Pending, "nobody has begun");
        assert_eq!(claim(database, run(1, DUE)), Claim::Mine);
        assert_eq!(claim(database, run(2, DUE)), Claim::Pending);
        database.write(|tx| schedules::give_back(tx, id(1))).unwrap();
        assert_eq!(claim(database, run(2, DUE)), Claim::Mine);
        let a_minute_later = DUE + Duration::from_secs(60);
        assert_eq!(claim(database, run(3, a_minute_later)), Claim::Pending);
        let later = a_minute_later + Duration::from_micros(1);
        assert_eq!(claim(database, run(3, later)), Claim::Mine, "whoever began is gone");
        // Whoever was thought to be gone does not take it from the one who does it now.
        database.write(|tx| schedules::end(tx, id(2), "refused", None)).unwrap();
        assert_eq!(look(), Claim::Pending);
        database.write(|tx| schedules::end(tx, id(3), "done", None)).unwrap();
        assert_eq!(look(), Claim::Over);
        assert_eq!(claim(database, run(4, later + Duration::from_secs(3600))), Claim::Over);
    });
}
