//! Taking up where a crash stopped.

use engine::{CallResult, Change};
use store::{feed, recovery};

use crate::fixture::*;

#[tokio::test]
async fn unfinished_attempts_come_with_their_contacts_and_can_be_settled_under_the_new_lease() {
    on_both(|world| async move {
        world.add(vec![record(1, 0), record(2, 0), record(3, 0)]).await;
        let held = world.lease().await;
        let contacts = world.claim(held, 3, &[0]).await;
        let group = world.group;
        let begun = vec![started(group, &contacts[0]), started(group, &contacts[1])];
        world.apply(held, begun).await;
        world.apply(held, vec![ended(group, &contacts[1], CallResult::NoAnswer)]).await;

        let again = world.lease().await;
        world.store().write(move |tx| feed::return_claims(tx, group, again.epoch)).await.unwrap();
        let left = world.store().read(move |tx| recovery::unfinished(tx, group)).await.unwrap();
        let mut found: Vec<_> = left.iter().map(|it| (it.attempt, it.result)).collect();
        found.sort();
        let (open, over) = (attempt_id(&contacts[0]), attempt_id(&contacts[1]));
        assert_eq!(found, [(open, None), (over, Some(CallResult::NoAnswer))]);
        let first = left.iter().find(|it| it.attempt == open).unwrap();
        assert_eq!(first.contact, contacts[0]);
        assert_eq!((first.number, first.attempt_number, first.ended_at), (number(1), 1, None));

        let settled = left.iter().map(|it| {
            Change::ContactPlanned(engine::change::ContactPlanned {
                result: Some(CallResult::SystemError),
                ..planned(group, &it.contact, dial_again(after(600), 0))
            })
        });
        world.apply(again, settled.collect()).await;
        assert_eq!(world.store().read(move |tx| recovery::unfinished(tx, group)).await, Ok(vec![]));
        let result: i64 = world.one("SELECT result FROM attempt WHERE id = $1", vec![open.into()]).await;
        assert_eq!(result, CallResult::SystemError.code());
        let result: i64 = world.one("SELECT result FROM attempt WHERE id = $1", vec![over.into()]).await;
        assert_eq!(result, CallResult::NoAnswer.code());
    })
    .await;
}
