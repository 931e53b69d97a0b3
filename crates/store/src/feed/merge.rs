//! The merge over open buckets: lowest rank first, however many buckets there are.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use engine::{BucketId, CampaignId, ContactId, Rank};

use crate::{StoreError, Tx, values};

/// Contacts read from one bucket at first, at least.
const CHUNK_MIN: usize = 4;
/// Contacts read from one bucket at once, at most.
const CHUNK_MAX: usize = 1024;

/// Reads on in each open bucket, always giving the contact with the lowest (rank, id) of all.
pub(super) struct Merge {
    campaign: CampaignId,
    buckets: Vec<Cursor>,
    heads: BinaryHeap<Reverse<(Rank, ContactId, usize)>>,
}

/// How far one bucket was read.
struct Cursor {
    bucket: BucketId,
    read: VecDeque<(Rank, ContactId)>,
    after: (Rank, ContactId),
    chunk: usize,
    is_at_end: bool,
}

impl Merge {
    /// Begins at the head of every bucket. The first look is small when buckets are many, for most of what it reads is
    /// not taken; a bucket that proves to matter is read in chunks that double.
    pub(super) fn begin(
        tx: &mut Tx<'_>,
        campaign: CampaignId,
        open: &[BucketId],
        wanted: usize,
    ) -> Result<Self, StoreError> {
        let first = (2 * wanted / open.len().max(1)).clamp(CHUNK_MIN, CHUNK_MAX);
        let before_all = (Rank(i64::MIN), ContactId(uuid::Uuid::nil()));
        let cursor = |bucket: &BucketId| Cursor {
            bucket: *bucket,
            read: VecDeque::new(),
            after: before_all,
            chunk: first,
            is_at_end: false,
        };
        let mut merge =
            Self { campaign, buckets: open.iter().map(cursor).collect(), heads: BinaryHeap::new() };
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
                values![self.campaign, cursor.bucket, cursor.after.0, cursor.after.1, cursor.chunk]
            })
            .collect();
        let chunks = tx.query_each(
            "SELECT rank, id FROM contact
             WHERE campaign_id = $1 AND bucket_id = $2 AND feed_state = 1 AND (rank, id) > ($3, $4)
             ORDER BY rank, id LIMIT $5",
            &sets,
        )?;
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
