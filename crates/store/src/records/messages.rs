//! What messages sound like.

use std::collections::HashSet;
use std::time::Duration;

use engine::{MessageId, TenantId, Time};
use uuid::Uuid;

use super::{Sha256, corrupt};
use crate::{Row, StoreError, Tx, values};

/// What is known of a message's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// Of which message.
    pub message: MessageId,
    /// The digest of what a machine spoke; none if the sound was uploaded.
    pub spoken: Option<Sha256>,
    /// The digest of the sound's bytes.
    pub sha256: Sha256,
    /// How long it is, in whole milliseconds.
    pub length: Duration,
    /// Samples a second.
    pub rate: u32,
    /// When it was uploaded or spoken.
    pub made_at: Time,
}

const COLUMNS: &str = "SELECT message_id, spoken_sha256, sha256, length_ms, rate, made_at FROM message_sound";

fn read(row: &Row) -> Result<Sound, StoreError> {
    let digest = |bytes: Vec<u8>| Sha256::try_from(bytes).map_err(|_| corrupt("message_sound.sha256"));
    let millis: i64 = row.get(3)?;
    let rate: i64 = row.get(4)?;
    Ok(Sound {
        message: row.get::<Uuid>(0)?.into(),
        spoken: row.get::<Option<Vec<u8>>>(1)?.map(digest).transpose()?,
        sha256: digest(row.get(2)?)?,
        length: Duration::from_millis(u64::try_from(millis).map_err(|_| corrupt("message_sound.length_ms"))?),
        rate: u32::try_from(rate).map_err(|_| corrupt("message_sound.rate"))?,
        made_at: row.get(5)?,
    })
}

/// Gives a message a sound, in place of one that it has.
///
/// # Errors
/// The database failed.
pub fn put_sound(tx: &mut Tx<'_>, tenant: TenantId, sound: &Sound, wav: &[u8]) -> Result<(), StoreError> {
    let millis = i64::try_from(sound.length.as_millis()).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT INTO message_sound (message_id, tenant_id, spoken_sha256, sha256, length_ms, rate, made_at, wav)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (message_id) DO UPDATE SET
             spoken_sha256 = excluded.spoken_sha256, sha256 = excluded.sha256, length_ms = excluded.length_ms,
             rate = excluded.rate, made_at = excluded.made_at, wav = excluded.wav",
        &values![
            sound.message.0,
            tenant,
            sound.spoken.map(|digest| digest.to_vec()),
            sound.sha256.to_vec(),
            millis,
            i64::from(sound.rate),
            sound.made_at,
            wav.to_vec()
        ],
    )?;
    Ok(())
}

/// What is known of a message's sound; none if it has none.
///
/// # Errors
/// The database failed.
pub fn sound(tx: &mut Tx<'_>, tenant: TenantId, message: MessageId) -> Result<Option<Sound>, StoreError> {
    let sql = format!("{COLUMNS} WHERE tenant_id = $1 AND message_id = $2");
    tx.query_one(&sql, &values![tenant, message.0])?.as_ref().map(read).transpose()
}

/// What is known of all sounds of a tenant.
///
/// # Errors
/// The database failed.
pub fn sounds(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Vec<Sound>, StoreError> {
    tx.query(&format!("{COLUMNS} WHERE tenant_id = $1 ORDER BY message_id"), &values![tenant])?
        .iter()
        .map(read)
        .collect()
}

/// The digests of all sounds, whoever's they are: for a node that tidies its directory of them up.
///
/// # Errors
/// The database failed.
pub fn all_digests(tx: &mut Tx<'_>) -> Result<HashSet<Sha256>, StoreError> {
    let digest =
        |row: &Row| Sha256::try_from(row.get::<Vec<u8>>(0)?).map_err(|_| corrupt("message_sound.sha256"));
    tx.query("SELECT DISTINCT sha256 FROM message_sound", &[])?.iter().map(digest).collect()
}

/// The sound itself.
///
/// # Errors
/// The database failed.
pub fn wav(tx: &mut Tx<'_>, tenant: TenantId, message: MessageId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT wav FROM message_sound WHERE tenant_id = $1 AND message_id = $2";
    tx.query_one(sql, &values![tenant, message.0])?.map(|row| row.get(0)).transpose()
}

/// Forgets a message's sound; `false` if it has none.
///
/// # Errors
/// The database failed.
pub fn forget_sound(tx: &mut Tx<'_>, tenant: TenantId, message: MessageId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM message_sound WHERE tenant_id = $1 AND message_id = $2";
    Ok(tx.execute(sql, &values![tenant, message.0])? > 0)
}
