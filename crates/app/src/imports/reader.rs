//! The thread that takes a file apart, some thousand rows at a time.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contacts::{ReadError, ReadOptions, RecordReader};
use tokio::sync::mpsc;

use super::settings::Settings;
use crate::intake::Record;

/// Bytes of a chunk at most, as the reader counts them, whatever its rows: rows may be large.
const CHUNK_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Chunks that may wait to be normalised.
const CHUNKS_WAITING: usize = 1;

/// Rows of a file that follow one another.
pub(super) struct Chunk {
    /// The rows with their numbers.
    pub(super) rows: Vec<(u64, Record)>,
    /// How far into the file they reach, in bytes. The reader is ahead by its buffer, so this is a little too much.
    pub(super) bytes: u64,
}

/// Reads a file on a thread of its own until it ends or nobody takes the chunks any more.
pub(super) fn read(
    path: &Path,
    settings: &Settings,
    rows_max: usize,
) -> mpsc::Receiver<Result<Chunk, ReadError>> {
    let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
    let options = ReadOptions { format: Some(settings.format), encoding: Some(settings.encoding) };
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = send(&path, options, rows_max, &sender) {
            // If nobody takes it, nobody needs to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    chunks
}

fn send(
    path: &Path,
    options: ReadOptions,
    rows_max: usize,
    sender: &mpsc::Sender<Result<Chunk, ReadError>>,
) -> Result<(), ReadError> {
    let count = Arc::new(AtomicU64::new(0));
    let file = Counted { file: File::open(path)?, count: Arc::clone(&count) };
    let mut reader = RecordReader::open(file, options)?;
    let mut from = 0;
    loop {
        let mut rows = Vec::new();
        while rows.len() < rows_max && count.load(Ordering::Relaxed) - from < CHUNK_BYTES_MAX {
            match reader.next().transpose()? {
                Some(row) => rows.push((row.number(), Record::Row(row))),
                None => break,
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        from = count.load(Ordering::Relaxed);
        if sender.blocking_send(Ok(Chunk { rows, bytes: from })).is_err() {
            return Ok(());
        }
    }
}

/// A file that counts what was read of it.
struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file only to look at its headings.
pub(super) fn open(path: &Path, options: ReadOptions) -> Result<RecordReader, ReadError> {
    RecordReader::open(File::open(path)?, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contacts::{Encoding, FileFormat};

    #[tokio::test]
    async fn large_rows_make_smaller_chunks_and_none_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.ndjson");
        std::fs::write(&path, format!("{{\"x\":\"{}\"}}\n", "x".repeat(900_000)).repeat(40)).unwrap();
        let settings = Settings {
            map: None,
            format: FileFormat::Ndjson,
            encoding: Encoding::Utf8,
            headings: vec![],
            duplicates: None,
            zone_policy: None,
            file_name: None,
            expires_at: None,
            group: None,
        };
        let mut chunks = read(&path, &settings, 5000);
        let (mut numbers, mut longest) = (Vec::new(), 0);
        while let Some(chunk) = chunks.recv().await {
            let chunk = chunk.unwrap();
            longest = longest.max(chunk.rows.len());
            numbers.extend(chunk.rows.iter().map(|(number, _)| *number));
        }
        assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
        assert!(longest < 10, "{longest}");
    }
}
