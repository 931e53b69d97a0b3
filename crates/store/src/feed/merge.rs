//! The merge over lanes and open buckets: lowest rank first, however many there are.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use engine::{BucketId, ContactId, Rank};
use uuid::Uuid;

use crate::{StoreError, Tx, values};

/// Contacts read from one bucket at first, at least.
const CHUNK_MIN: usize = 4;
/// Contacts read from one bucket at once, at most.
const CHUNK_MAX: usize = 1024;

/// What comes next in a bucket.
const NEXT_CHUNK: &str = "SELECT rank, id FROM contact
     WHERE lane_id = $1 AND bucket_id = $2 AND feed_state = 1 AND (rank, id) > ($3, $4) AND rank < $6
     ORDER BY rank, id LIMIT $5";

/// Reads on in each open bucket of each lane, always giving the contact with the lowest (rank, id) of all.
pub(super) struct Merge {
    buckets: Vec<Cursor>,
    heads: BinaryHeap<Reverse<(Rank, ContactId, usize)>>,
    below: Rank,
}

/// How far one bucket of a lane was read.
struct Cursor {
    lane: Uuid,
    bucket: BucketId,
    read: VecDeque<(Rank, ContactId)>,
    after: (Rank, ContactId),
    chunk: usize,
    is_at_end: bool,
}

impl Merge {
    /// Begins at the head of every bucket; contacts of the rank `below` and higher ones are left alone. The first look is small when buckets are many, for most of what it reads is
    /// not taken; a bucket that proves to matter is read in chunks that double.
    pub(super) fn begin(
        tx: &mut Tx<'_>,
        lanes: &[Uuid],
        open: &[BucketId],
        wanted: usize,
        below: Rank,
    ) -> Result<Self, StoreError> {
        let first = (2 * wanted / open.len().max(1)).clamp(CHUNK_MIN, CHUNK_MAX);
        let before_all = (Rank(i64::MIN), ContactId(Uuid::nil()));
        let cursor = |lane: Uuid, bucket: BucketId| Cursor {
            lane,
            bucket,
            read: VecDeque::new(),
            after: before_all,
            chunk: first,
            is_at_end: false,
        };
        let of_lane = |lane: &Uuid| open.iter().map(|bucket| cursor(*lane, *bucket)).collect::<Vec<_>>();
        let mut merge =
            Self { buckets: lanes.iter().flat_map(of_lane).collect(), heads: BinaryHeap::new(), below };
        let all: Vec<usize> = (0..merge.buckets.len()).collect();
        merge.read(tx, &all)?;
        Ok(merge)
    }

    /// The next `count` contacts, fewer if no more are ready.
    pub(super) fn take(&mut self, tx: &mut Tx<'_>, count: usize) -> Result<Vec<ContactId>, StoreError> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let Some(Reverse((_, contact, index))) = self.heads.pop() else { break };
            taken.push(contact);
            let cursor = &mut self.buckets[index];
            match cursor.read.pop_front() {
                Some((rank, contact)) => self.heads.push(Reverse((rank, contact, index))),
                None if cursor.is_at_end => {}
                None => self.read(tx, &[index])?,
            }
        }
        Ok(taken)
    }

    /// Reads the next chunk of these buckets, none of which has a head or anything read ahead.
    fn read(&mut self, tx: &mut Tx<'_>, indexes: &[usize]) -> Result<(), StoreError> {
        let sets: Vec<_> = indexes
            .iter()
            .map(|index| {
                let cursor = &self.buckets[*index];
                values![cursor.lane, cursor.bucket, cursor.after.0, cursor.after.1, cursor.chunk, self.below]
            })
            .collect();
        let chunks = tx.query_each(NEXT_CHUNK, &sets)?;
        for (index, rows) in indexes.iter().zip(chunks) {
            let cursor = &mut self.buckets[*index];
            cursor.is_at_end = rows.len() < cursor.chunk;
            cursor.chunk = (cursor.chunk * 2).min(CHUNK_MAX);
            for row in &rows {
                cursor.read.push_back((row.get(0)?, row.get(1)?));
            }
            if let Some(last) = cursor.read.back() {
                cursor.after = *last;
            }
            if let Some((rank, contact)) = cursor.read.pop_front() {
                self.heads.push(Reverse((rank, contact, *index)));
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::testing::databases;
    use crate::{Dialect, Row};

    /// Contacts of one campaign, every hundredth under bucket 1, the others under bucket 0.
    fn fill(tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let campaign = uuid::Uuid::from_u128(7);
        let rows = (0..20_000_u32).map(|it| {
            let id = uuid::Uuid::from_u128(u128::from(it) << 64);
            let external_id = it.to_string();
            let bucket = i64::from(it % 100 == 0);
            values![
                id,
                campaign,
                campaign,
                campaign,
                external_id,
                "{}",
                50,
                it,
                0,
                0,
                0,
                1,
                bucket,
                it,
                0,
                0,
                0,
                0,
                0,
                campaign
            ]
        });
        let columns = "id tenant_id campaign_id source_id external_id fields priority sequence created_at updated_at \
                       fingerprint feed_state bucket_id rank next_at next_phone is_callback attempts \
                       last_result_in_a_row lane_id";
        let columns: Vec<&str> = columns.split_whitespace().collect();
        tx.insert_rows("contact", &columns, &rows.collect::<Vec<_>>())?;
        tx.execute("ANALYZE contact", &[]).map(drop)
    }

    /// The statement with values in place of its parameters, for `EXPLAIN` takes none.
    fn explain(dialect: Dialect) -> String {
        let uuid = |last: u8| match dialect {
            Dialect::Sqlite => format!("x'{:032x}'", last),
            Dialect::Postgres => format!("'{}'", uuid::Uuid::from_u128(u128::from(last))),
        };
        let parameters = [uuid(7), "1".into(), "5000".into(), uuid(0), "16".into(), i64::MAX.to_string()];
        let named = (1..).zip(parameters);
        let sql = named
            .fold(NEXT_CHUNK.to_owned(), |sql, (place, value)| sql.replace(&format!("${place}"), &value));
        match dialect {
            Dialect::Sqlite => format!("EXPLAIN QUERY PLAN {sql}"),
            Dialect::Postgres => format!("EXPLAIN {sql}"),
        }
    }

    #[tokio::test]
    async fn a_chunk_is_read_from_the_index_of_ready_contacts_without_sorting() {
        for database in databases() {
            database.store.write(fill).await.unwrap();
            let dialect = database.dialect();
            let plan = database.store.read(move |tx| tx.query(&explain(dialect), &[])).await.unwrap();
            // SQLite's plans have their text in the fourth column.
            let column = if dialect == Dialect::Sqlite { 3 } else { 0 };
            let text = |row: &Row| row.get::<String>(column).unwrap();
            let plan = plan.iter().map(text).collect::<Vec<_>>().join("; ");
            assert!(plan.contains("contact_ready"), "{plan}");
            assert!(!plan.contains("Sort") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
