//! Import jobs.

use engine::{CampaignId, ImportId, SourceId};
use serde_json::json;
use store::records::imports::{
    self, ImportClaim, ImportCounts, ImportEnd, ImportJob, ImportState, NewImport, Reject,
};
use store::{StoreError, Tx};
use uuid::Uuid;

use crate::support::{Database, all_pages, at, id, on_both_databases, tenant, two_tenants};

const BATCH: ImportCounts =
    ImportCounts { rows_done: 10, bytes_done: 500, created: 5, updated: 3, unchanged: 1, rejected: 1 };

fn import(n: u64) -> ImportId {
    ImportId(id(n))
}

fn owner(n: u64) -> Uuid {
    id(7000 + n)
}

fn queue(tx: &mut Tx<'_>, of: u64, n: u64, seconds: i64) -> Result<(), StoreError> {
    imports::insert(
        tx,
        &NewImport {
            id: import(n),
            tenant: tenant(of),
            source: SourceId(id(30)),
            campaign: CampaignId(id(20)),
            settings: json!({"delimiter": ";"}),
            file_path: "imports/a.csv".into(),
            file_size: 5000,
            file_sha256: [9; 32],
            now: at(seconds),
        },
    )
}

fn with_one_queued(database: &Database) {
    two_tenants(database);
    database.write(|tx| queue(tx, 1, 10, 1)).unwrap();
}

fn take(database: &Database, by: u64, now: i64, stale_before: i64) -> Option<ImportJob> {
    database.write(move |tx| imports::take_next(tx, owner(by), at(now), at(stale_before))).unwrap()
}

fn claim(by: u64) -> ImportClaim {
    ImportClaim { tenant: tenant(1), import: import(10), owner: owner(by) }
}

fn progress(database: &Database, claim: ImportClaim, now: i64) -> Result<ImportState, StoreError> {
    database.write(move |tx| imports::progress(tx, claim, BATCH, at(now)))
}

fn finish(database: &Database, claim: ImportClaim, end: ImportEnd) -> Result<(), StoreError> {
    database.write(move |tx| imports::finish(tx, claim, &end, at(90)))
}

fn stored(database: &Database) -> ImportJob {
    database.read(|tx| imports::get(tx, tenant(1), import(10))).unwrap().unwrap()
}

#[test]
fn a_queued_import_reads_back_with_nothing_done() {
    on_both_databases(|database| {
        with_one_queued(database);
        let job = stored(database);
        assert_eq!(
            (job.state, job.counts, job.claim()),
            (ImportState::Queued, ImportCounts::default(), None)
        );
        assert_eq!(
            (job.settings, job.file_size, job.file_sha256),
            (json!({"delimiter": ";"}), 5000, vec![9; 32])
        );
    });
}

#[test]
fn no_tenant_sees_cancels_or_rejects_into_anothers_import() {
    on_both_databases(|database| {
        with_one_queued(database);
        database.write(|tx| imports::add_rejects(tx, tenant(1), import(10), &[reject(1)])).unwrap();
        assert_eq!(database.read(|tx| imports::get(tx, tenant(2), import(10))).unwrap(), None);
        let listed =
            all_pages(2, |page| database.read(move |tx| imports::list(tx, tenant(2), &page)).unwrap());
        assert_eq!(listed, []);
        let rejects = all_pages(2, |page| {
            database.read(move |tx| imports::rejects(tx, tenant(2), import(10), &page)).unwrap()
        });
        assert_eq!(rejects, []);
        assert_eq!(database.write(|tx| imports::request_cancel(tx, tenant(2), import(10), at(2))), Ok(None));
        let added = database.write(|tx| imports::add_rejects(tx, tenant(2), import(10), &[reject(2)]));
        assert_eq!(added, Err(StoreError::NotFound { what: "import" }));
        assert_eq!(stored(database).state, ImportState::Queued);
    });
}

#[test]
fn paging_returns_every_import_of_the_tenant_once_the_newest_first() {
    on_both_databases(|database| {
        two_tenants(database);
        database
            .write(|tx| {
                (0..7).try_for_each(|n| queue(tx, 1, 10 + n, (n / 3) as i64))?;
                queue(tx, 2, 17, 1)
            })
            .unwrap();
        let listed =
            all_pages(2, |page| database.read(move |tx| imports::list(tx, tenant(1), &page)).unwrap());
        assert_eq!(
            listed.iter().map(|job| job.id).collect::<Vec<_>>(),
            [16, 15, 14, 13, 12, 11, 10].map(import)
        );
    });
}

#[test]
fn the_oldest_queued_import_is_taken_and_only_once() {
    on_both_databases(|database| {
        two_tenants(database);
        database
            .write(|tx| {
                queue(tx, 1, 11, 2)?;
                queue(tx, 2, 10, 1)
            })
            .unwrap();
        let first = take(database, 1, 10, 0).unwrap();
        assert_eq!((first.id, first.tenant, first.state), (import(10), tenant(2), ImportState::Running));
        assert_eq!(
            (first.owner, first.started_at, first.heartbeat_at),
            (Some(owner(1)), Some(at(10)), Some(at(10)))
        );
        assert_eq!(take(database, 2, 10, 0).map(|job| job.id), Some(import(11)));
        assert_eq!(take(database, 3, 10, 0), None);
    });
}

#[test]
fn processes_that_look_at_once_get_different_imports() {
    on_both_databases(|database| {
        two_tenants(database);
        database.write(|tx| (0..4).try_for_each(|n| queue(tx, 1, 10 + n, 1))).unwrap();
        let taken = database.write_at_once(6, |tx| imports::take_next(tx, owner(1), at(2), at(0)));
        let mut ids: Vec<_> = taken.into_iter().filter_map(Result::unwrap).map(|job| job.id).collect();
        ids.sort();
        assert_eq!(ids, [10, 11, 12, 13].map(import));
    });
}

#[test]
fn an_import_whose_process_died_is_taken_over_after_its_last_batch() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        progress(database, claim(1), 20).unwrap();
        assert_eq!(take(database, 2, 40, 20), None, "it gave a sign of life");
        let taken = take(database, 2, 40, 21).unwrap();
        assert_eq!((taken.owner, taken.counts, taken.state), (Some(owner(2)), BATCH, ImportState::Running));
        assert_eq!((taken.started_at, taken.heartbeat_at), (Some(at(10)), Some(at(40))));
    });
}

#[test]
fn a_process_that_was_restarted_abandons_the_imports_of_its_earlier_life_alone() {
    on_both_databases(|database| {
        two_tenants(database);
        database.write(|tx| (0..2).try_for_each(|n| queue(tx, 1, 10 + n, 1))).unwrap();
        take(database, 1, 10, 0).unwrap();
        take(database, 5, 10, 0).unwrap();
        assert_eq!(database.write(|tx| imports::abandon(tx, owner(4), owner(9))), Ok(1));
        assert_eq!(take(database, 6, 11, 10).map(|job| job.id), Some(import(11)));
        assert_eq!(take(database, 6, 11, 10), None);
    });
}

#[test]
fn a_process_that_was_only_slow_cannot_store_its_batch_after_a_takeover() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        take(database, 2, 40, 30).unwrap();
        let batch = database.write(|tx| {
            imports::add_rejects(tx, tenant(1), import(10), &[reject(1)])?;
            imports::progress(tx, claim(1), BATCH, at(41))
        });
        assert_eq!(batch, Err(StoreError::StaleVersion));
        assert_eq!(finish(database, claim(1), ImportEnd::Completed), Err(StoreError::StaleVersion));
        let rejects = all_pages(2, |page| {
            database.read(move |tx| imports::rejects(tx, tenant(1), import(10), &page)).unwrap()
        });
        assert_eq!(rejects, [], "nothing of the batch is stored");
        assert_eq!(progress(database, claim(2), 42), Ok(ImportState::Running));
        assert_eq!(stored(database).counts, BATCH);
    });
}

#[test]
fn a_claim_under_another_tenant_is_no_claim() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        let foreign = ImportClaim { tenant: tenant(2), ..claim(1) };
        assert_eq!(progress(database, foreign, 20), Err(StoreError::StaleVersion));
        assert_eq!(finish(database, foreign, ImportEnd::Completed), Err(StoreError::StaleVersion));
        let job = stored(database);
        assert_eq!((job.state, job.counts), (ImportState::Running, ImportCounts::default()));
    });
}

#[test]
fn batches_add_up() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        progress(database, claim(1), 20).unwrap();
        progress(database, claim(1), 30).unwrap();
        let job = stored(database);
        let twice = ImportCounts {
            rows_done: 20,
            bytes_done: 1000,
            created: 10,
            updated: 6,
            unchanged: 2,
            rejected: 2,
        };
        assert_eq!((job.counts, job.heartbeat_at), (twice, Some(at(30))));
    });
}

#[test]
fn an_import_that_has_ended_stays_as_it_is() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        finish(database, claim(1), ImportEnd::Failed("the file ends in the middle of a row".into())).unwrap();
        let job = stored(database);
        assert_eq!((job.state, job.finished_at), (ImportState::Failed, Some(at(90))));
        assert_eq!(job.error.as_deref(), Some("the file ends in the middle of a row"));
        assert_eq!(take(database, 2, 1000, 900), None);
        assert_eq!(progress(database, claim(1), 91), Err(StoreError::StaleVersion));
        let cancelled = database.write(|tx| imports::request_cancel(tx, tenant(1), import(10), at(95)));
        assert_eq!(cancelled, Ok(Some(ImportState::Failed)));
        assert_eq!(stored(database), job);
    });
}

#[test]
fn a_queued_import_is_cancelled_at_once() {
    on_both_databases(|database| {
        with_one_queued(database);
        let cancelled = database.write(|tx| imports::request_cancel(tx, tenant(1), import(10), at(5)));
        assert_eq!(cancelled, Ok(Some(ImportState::Cancelled)));
        assert_eq!(stored(database).finished_at, Some(at(5)));
        assert_eq!(take(database, 1, 10, 0), None);
    });
}

#[test]
fn a_running_import_hears_of_its_cancelling_at_its_next_batch() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        let cancelled = database.write(|tx| imports::request_cancel(tx, tenant(1), import(10), at(15)));
        assert_eq!(cancelled, Ok(Some(ImportState::Cancelling)));
        assert_eq!(stored(database).finished_at, None);
        assert_eq!(progress(database, claim(1), 20), Ok(ImportState::Cancelling));
        finish(database, claim(1), ImportEnd::Cancelled).unwrap();
        let job = stored(database);
        assert_eq!((job.state, job.counts), (ImportState::Cancelled, BATCH));
    });
}

#[test]
fn a_cancelling_whose_process_died_is_finished_by_another() {
    on_both_databases(|database| {
        with_one_queued(database);
        take(database, 1, 10, 0).unwrap();
        database.write(|tx| imports::request_cancel(tx, tenant(1), import(10), at(15))).unwrap();
        let taken = take(database, 2, 60, 50).unwrap();
        assert_eq!((taken.id, taken.state), (import(10), ImportState::Cancelling));
        finish(database, taken.claim().unwrap(), ImportEnd::Cancelled).unwrap();
        assert_eq!(stored(database).state, ImportState::Cancelled);
    });
}

fn reject(row: u64) -> Reject {
    Reject {
        row,
        code: "phone_invalid".into(),
        field: if row.is_multiple_of(2) { "phone".into() } else { String::new() },
        message: "not a telephone number".into(),
        raw: format!("Ada;+1{row}\t\\N \"x\""),
    }
}

#[test]
fn rejected_rows_are_paged_in_the_order_of_the_file() {
    on_both_databases(|database| {
        with_one_queued(database);
        let rejects: Vec<_> = [5, 1, 9, 2, 7].map(reject).to_vec();
        database.write(move |tx| imports::add_rejects(tx, tenant(1), import(10), &rejects)).unwrap();
        let listed = all_pages(2, |page| {
            database.read(move |tx| imports::rejects(tx, tenant(1), import(10), &page)).unwrap()
        });
        assert_eq!(listed, [1, 2, 5, 7, 9].map(reject));
    });
}
