//! The outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::TenantId;
use store::StoreError;
use store::events::{self, NewEvent};

use crate::fixture::{NOW, id, on_both};

fn event(number: u64) -> NewEvent {
    NewEvent::new(NOW, "test.happened", &serde_json::json!({ "number": number })).unwrap()
}

#[tokio::test]
async fn numbers_have_no_gaps_under_writers_at_once_of_which_some_fail() {
    on_both(|world| async move {
        let tenant = world.tenant;
        let writes = (0..300_u64).map(|number| {
            world.store().write(move |tx| {
                events::append(tx, tenant, &[event(number), event(number)])?;
                if number % 3 == 0 { Err(StoreError::StaleVersion) } else { Ok(()) }
            })
        });
        futures_util::future::join_all(writes).await;
        let read = world.store().read(move |tx| events::read_after(tx, tenant, 0, 1000)).await.unwrap();
        let numbers: Vec<i64> = read.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
        assert_eq!(world.store().read(move |tx| events::last(tx, tenant)).await, Ok(400));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_on_from_where_it_was_misses_nothing() {
    on_both(|world| async move {
        let tenant = world.tenant;
        let written = Arc::new(AtomicU64::new(0));
        let writes = (0..200_u64).map(|number| {
            let written = written.clone();
            let write = world.store().write(move |tx| events::append(tx, tenant, &[event(number)]));
            async move {
                write.await.unwrap();
                written.fetch_add(1, Ordering::SeqCst);
            }
        });
        let reader = async {
            let mut seen: Vec<i64> = Vec::new();
            while seen.len() < 200 {
                let after = seen.last().copied().unwrap_or(0);
                let read =
                    world.store().read(move |tx| events::read_after(tx, tenant, after, 7)).await.unwrap();
                seen.extend(read.iter().map(|event| event.seq));
            }
            seen
        };
        let (_, seen) = futures_util::future::join(futures_util::future::join_all(writes), reader).await;
        assert_eq!(seen, (1..=200).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn each_tenant_has_numbers_of_its_own() {
    on_both(|world| async move {
        let (one, other) = (world.tenant, TenantId(id(900)));
        for tenant in [one, other, one] {
            world.store().write(move |tx| events::append(tx, tenant, &[event(1)])).await.unwrap();
        }
        let read = world.store().read(move |tx| events::read_after(tx, other, 0, 10)).await.unwrap();
        assert_eq!(read.iter().map(|event| event.seq).collect::<Vec<_>>(), [1]);
        assert_eq!((read[0].kind.as_str(), read[0].at), ("test.happened", NOW));
        assert!(read[0].body.get().contains("number"));
    })
    .await;
}
