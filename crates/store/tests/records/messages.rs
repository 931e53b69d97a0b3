//! Sounds of messages.

use std::time::Duration;

use engine::MessageId;
use store::records::messages::{Sound, all_digests, forget_sound, put_sound, sound, sounds, wav};

use crate::support::*;

fn uploaded(n: u64) -> Sound {
    Sound {
        message: MessageId(id(n)),
        spoken: None,
        sha256: [7; 32],
        length: Duration::from_millis(1500),
        rate: 8000,
        made_at: at(5),
    }
}

#[test]
fn a_sound_comes_back_as_it_was_and_a_new_one_takes_its_place() {
    on_both_databases(|database| {
        let first = uploaded(1);
        let second = Sound { spoken: Some([9; 32]), sha256: [8; 32], rate: 16_000, ..uploaded(1) };
        // Bytes that are no text.
        let bytes: Vec<u8> = (0..=255).collect();
        let (stored, sent) = (first.clone(), bytes.clone());
        database.write(move |tx| put_sound(tx, tenant(1), &stored, &sent)).unwrap();
        let read = |of: u64| database.read(move |tx| sound(tx, tenant(of), MessageId(id(1)))).unwrap();
        assert_eq!((read(1), read(2)), (Some(first), None), "another tenant does not find it");
        let data = |of: u64| database.read(move |tx| wav(tx, tenant(of), MessageId(id(1)))).unwrap();
        assert_eq!((data(1), data(2)), (Some(bytes), None));
        let stored = second.clone();
        database.write(move |tx| put_sound(tx, tenant(1), &stored, b"other")).unwrap();
        assert_eq!((read(1), data(1)), (Some(second.clone()), Some(b"other".to_vec())));
        assert_eq!(database.read(|tx| sounds(tx, tenant(1))).unwrap(), [second]);
        assert_eq!(database.read(all_digests).unwrap(), [[8; 32]].into());
    });
}

#[test]
fn a_sound_is_forgotten_once_and_by_its_own_tenant() {
    on_both_databases(|database| {
        database.write(|tx| put_sound(tx, tenant(1), &uploaded(1), b"sound")).unwrap();
        let forget =
            |of: u64| database.write(move |tx| forget_sound(tx, tenant(of), MessageId(id(1)))).unwrap();
        assert_eq!((forget(2), forget(1), forget(1)), (false, true, false));
    });
}
