//! Supervisors' parts in calls.

use engine::{AgentId, AttemptId, SupervisionId};
use store::records::supervisions::{self, Supervision};

use crate::support::{Database, id, on_both_databases, tenant, two_tenants};

fn supervision(of: u64, n: u64) -> Supervision {
    Supervision {
        id: SupervisionId(id(n)),
        tenant: tenant(of),
        agent: AgentId(id(100 + n)),
        attempt: AttemptId(id(200 + n)),
        supervisor: "user:ada".to_owned(),
        part: "whisper".to_owned(),
        is_started: false,
    }
}

fn add(database: &Database) {
    two_tenants(database);
    database
        .write(|tx| {
            supervisions::add(tx, id(1), &supervision(1, 10))?;
            supervisions::add(tx, id(1), &supervision(2, 11))?;
            supervisions::add(tx, id(2), &supervision(1, 12))
        })
        .unwrap();
}

#[test]
fn a_supervision_starts_once_and_ends_once() {
    on_both_databases(|database| {
        add(database);
        let which = SupervisionId(id(10));
        let started = Supervision { is_started: true, ..supervision(1, 10) };
        let start = || database.write(move |tx| supervisions::start(tx, which)).unwrap();
        assert_eq!((start(), start()), (Some(started.clone()), None));
        let end = || database.write(move |tx| supervisions::end(tx, which)).unwrap();
        assert_eq!((end(), end()), (Some(started), None));
        assert_eq!(start(), None, "what is over does not start");
    });
}

#[test]
fn a_node_that_starts_again_ends_all_of_its_own_and_no_other_s() {
    on_both_databases(|database| {
        add(database);
        database.write(|tx| supervisions::start(tx, SupervisionId(id(11)))).unwrap();
        let end_all = || database.write(|tx| supervisions::end_all(tx, id(1))).unwrap();
        let mut ended = end_all();
        ended.sort_by_key(|supervision| supervision.id);
        assert_eq!(ended, [supervision(1, 10), Supervision { is_started: true, ..supervision(2, 11) }]);
        assert_eq!(end_all(), []);
        let other = database.write(|tx| supervisions::end(tx, SupervisionId(id(12)))).unwrap();
        assert_eq!(other, Some(supervision(1, 12)));
    });
}
