//! Recordings: from the change that notes them to the file that is gone.

use std::time::Duration;

use engine::change::RecordingStarted;
use engine::{AgentId, AttemptId, CallResult, Change, Time};
use store::records::recordings::{
    self, DueRecording, Recording, RecordingFile, RecordingFilter, RecordingState,
};
use store::records::{Page, Rows};
use store::{StoreError, Tx, recovery};

use crate::fixture::*;

const AGENT: AgentId = AgentId(uuid::Uuid::from_u128(0xa1));

/// A world with so many attempts, each connected and recorded; the first is the oldest. All are over but the last.
async fn recorded(world: &World, count: u64) -> Vec<AttemptId> {
    world.add((1..=count).map(|number| record(number, 0)).collect()).await;
    let held = world.lease().await;
    let contacts = world.claim(held, u32::try_from(count).unwrap(), &[0]).await;
    let group = world.group;
    let mut attempts = Vec::new();
    for (index, contact) in contacts.iter().enumerate() {
        let attempt = attempt_id(contact);
        let at = after(2 + index as u64);
        let noted = RecordingStarted {
            attempt,
            group,
            contact: contact.contact,
            agent: AGENT,
            name: format!("call-{index}"),
            at,
            expires_at: at + Duration::from_secs(1000),
        };
        world.apply(held, vec![started(group, contact), Change::RecordingStarted(noted)]).await;
        if index + 1 < contacts.len() {
            world.apply(held, vec![ended(group, contact, CallResult::Answer)]).await;
        }
        attempts.push(attempt);
    }
    attempts
}

fn file() -> RecordingFile {
    RecordingFile {
        place: "directory".to_owned(),
        file: "a/call.wav".to_owned(),
        length: Duration::from_millis(2500),
        bytes: 40_044,
        sha256: [7; 32],
    }
}

async fn write<T: Send + 'static>(
    world: &World,
    work: impl Fn(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    world.store().write(work).await.unwrap()
}

async fn due(world: &World, now: Time) -> Vec<DueRecording> {
    world.store().read(move |tx| recordings::due(tx, now, true, 10)).await.unwrap()
}

async fn get(world: &World, attempt: AttemptId) -> Recording {
    let tenant = world.tenant;
    world.store().read(move |tx| recordings::get(tx, tenant, attempt)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_recording_is_pending_from_its_beginning_and_due_when_its_attempt_is_over() {
    on_both(|world| async move {
        let attempts = recorded(&world, 2).await;
        assert_eq!(write(&world, recordings::pending).await, 2);
        let first = get(&world, attempts[0]).await;
        assert_eq!((first.state, first.name.as_str()), (RecordingState::Pending, "call-0"));
        assert_eq!((first.agent, first.started_at, first.expires_at), (AGENT, after(2), after(1002)));
        assert_eq!((first.length, first.file), (None, None));
        let found: Vec<AttemptId> =
            due(&world, after(500)).await.iter().map(|it| it.recording.attempt).collect();
        assert_eq!(found, [attempts[0]], "the other call is still up");
        let group = world.group;
        let left = world.store().read(move |tx| recovery::unfinished(tx, group)).await.unwrap();
        let open = left.iter().find(|it| it.attempt == attempts[1]).unwrap();
        assert_eq!(
            open.recording.as_deref(),
            Some("call-1"),
            "whoever takes the call over knows its recording"
        );
        assert!(world.told().await.contains(&"recording.started".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_done_by_one_and_due_again_later_if_they_fail() {
    on_both(|world| async move {
        let attempt = recorded(&world, 2).await[0];
        let task = due(&world, after(500)).await.remove(0);
        assert!(due(&world, after(1)).await.is_empty(), "not before its time");
        let (one, other) = (task.clone(), task);
        assert!(write(&world, move |tx| recordings::claim(tx, &one, after(600))).await);
        assert!(!write(&world, move |tx| recordings::claim(tx, &other, after(600))).await);
        assert!(due(&world, after(599)).await.is_empty());
        let again = due(&world, after(600)).await.remove(0);
        assert_eq!((again.tries, again.on_switch), (1, true));
        write(&world, move |tx| recordings::finished(tx, attempt, after(550))).await;
        assert_eq!(due(&world, after(550)).await[0].tries, 0, "the switch said that it is finished");
    })
    .await;
}

#[tokio::test]
async fn a_file_is_stored_once_and_the_switch_s_removed_after_it() {
    on_both(|world| async move {
        let attempt = recorded(&world, 2).await[0];
        assert!(write(&world, move |tx| recordings::put_file(tx, attempt, &file(), after(30))).await);
        assert!(!write(&world, move |tx| recordings::put_file(tx, attempt, &file(), after(31))).await);
        let found = get(&world, attempt).await;
        assert_eq!((found.state, found.stored_at), (RecordingState::Stored, Some(after(30))));
        assert_eq!((found.length, found.bytes), (Some(Duration::from_millis(2500)), Some(40_044)));
        assert_eq!(found.sha256, Some([7; 32]));
        assert_eq!(found.file, Some(("directory".to_owned(), "a/call.wav".to_owned())));
        let task = due(&world, after(30)).await.remove(0);
        assert!(task.on_switch);
        write(&world, move |tx| recordings::off_switch(tx, attempt)).await;
        assert!(due(&world, after(900)).await.is_empty(), "nothing more is to be done");
        // A word of the switch that comes late changes nothing.
        write(&world, move |tx| recordings::finished(tx, attempt, after(40))).await;
        assert!(due(&world, after(900)).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_deleted_recording_stays_as_a_row_until_both_files_are_gone_and_after() {
    on_both(|world| async move {
        let attempt = recorded(&world, 2).await[0];
        let (own, other) = (world.tenant, engine::TenantId(uuid::Uuid::from_u128(0xbad)));
        write(&world, move |tx| recordings::put_file(tx, attempt, &file(), after(30))).await;
        assert!(!write(&world, move |tx| recordings::delete(tx, other, attempt, after(40))).await);
        assert!(write(&world, move |tx| recordings::delete(tx, own, attempt, after(40))).await);
        assert!(!write(&world, move |tx| recordings::delete(tx, own, attempt, after(41))).await);
        write(&world, move |tx| recordings::off_storage(tx, attempt)).await;
        let task = due(&world, after(40)).await.remove(0);
        assert!(task.on_switch && task.recording.file.is_none());
        write(&world, move |tx| recordings::off_switch(tx, attempt)).await;
        assert!(due(&world, after(900)).await.is_empty());
        let found = get(&world, attempt).await;
        assert_eq!((found.state, found.removed_at), (RecordingState::Deleted, Some(after(40))));
        assert_eq!(found.sha256, Some([7; 32]), "what it was is known");
        assert!(!write(&world, move |tx| recordings::put_file(tx, attempt, &file(), after(50))).await);
    })
    .await;
}

#[tokio::test]
async fn recordings_expire_when_their_time_is_over_and_only_once() {
    on_both(|world| async move {
        let attempts = recorded(&world, 4).await;
        let stored = attempts[0];
        write(&world, move |tx| recordings::put_file(tx, stored, &file(), after(30))).await;
        let expire = |now: Time, limit: u32| write(&world, move |tx| recordings::expire(tx, now, limit));
        assert_eq!(expire(after(1001), 10).await, 0);
        assert_eq!(expire(after(1003), 1).await, 1, "at most so many at a time");
        assert_eq!(expire(after(1003), 10).await, 1);
        assert_eq!(expire(after(1003), 10).await, 0);
        let found = get(&world, stored).await;
        assert_eq!((found.state, found.removed_at), (RecordingState::Expired, Some(after(1003))));
        assert_eq!(get(&world, attempts[3]).await.state, RecordingState::Pending);
        assert!(due(&world, after(1003)).await.iter().any(|task| task.recording.attempt == stored));
    })
    .await;
}

#[tokio::test]
async fn what_the_switch_does_not_have_is_missing_and_nothing_more_is_done() {
    on_both(|world| async move {
        let attempt = recorded(&world, 2).await[0];
        write(&world, move |tx| recordings::missing(tx, attempt)).await;
        assert_eq!(get(&world, attempt).await.state, RecordingState::Missing);
        assert!(due(&world, after(900)).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn recordings_are_listed_newest_first_page_by_page_and_by_what_they_are_of() {
    on_both(|world| async move {
        let attempts = recorded(&world, 5).await;
        let tenant = world.tenant;
        let mut found = Vec::new();
        let mut page = Page::first(2);
        loop {
            let filter = RecordingFilter::default();
            let read = move |tx: &mut Tx<'_>| recordings::page(tx, tenant, &filter, &page);
            let Rows { rows, next } = world.store().read(read).await.unwrap();
            found.extend(rows.iter().map(|recording| recording.attempt));
            match next {
                Some(next) => page = Page::after(next, 2),
                None => break,
            }
        }
        assert_eq!(found, attempts.iter().rev().copied().collect::<Vec<_>>());
        let contact = get(&world, attempts[2]).await.contact;
        let count = |filter: RecordingFilter| {
            let read = move |tx: &mut Tx<'_>| recordings::page(tx, tenant, &filter, &Page::first(100));
            let rows = world.store().read(read);
            async { rows.await.unwrap().rows.len() }
        };
        let none = RecordingFilter::default();
        assert_eq!(count(RecordingFilter { contact: Some(contact), ..none }).await, 1);
        assert_eq!(count(RecordingFilter { attempt: Some(attempts[4]), ..none }).await, 1);
        assert_eq!(count(RecordingFilter { agent: Some(AGENT), ..none }).await, 5);
        assert_eq!(count(RecordingFilter { agent: Some(AgentId(uuid::Uuid::nil())), ..none }).await, 0);
        let span = RecordingFilter { since: Some(after(3)), until: Some(after(5)), ..none };
        assert_eq!(count(span).await, 2);
    })
    .await;
}
