//! A file of NDJSON: one line a message, durable before it counts as delivered, rotated by size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use engine::Time;
use futures_util::future::BoxFuture;
use serde_json::json;
use serde_json::value::RawValue;

use crate::{Deliver, Message, Outcome};

/// Where to write and how much to keep.
#[derive(Clone, Debug)]
pub struct FileSettings {
    /// The file; its directory is made if it is not there.
    pub path: PathBuf,
    /// A file that would grow beyond so many bytes is put aside as `.1`, the one before as `.2`, and so on.
    pub bytes_max: u64,
    /// So many files are kept aside.
    pub keep: u32,
}

/// Delivers to a file.
pub struct FileSink(FileSettings);

impl FileSink {
    /// Gets ready; nothing is written yet.
    pub fn open(settings: FileSettings) -> Self {
        Self(settings)
    }
}

impl Deliver for FileSink {
    fn deliver<'a>(&'a self, _: Time, batch: &'a [Message]) -> BoxFuture<'a, Vec<Outcome>> {
        let settings = self.0.clone();
        let lines: Option<Vec<String>> = batch.iter().map(line).collect();
        Box::pin(async move {
            let Some(lines) = lines else {
                return vec![Outcome::refused("it is no JSON"); batch.len()];
            };
            let written = tokio::task::spawn_blocking(move || append(&settings, &lines)).await;
            let outcome = match written {
                Ok(Ok(())) => Outcome::Delivered,
                Ok(Err(error)) => Outcome::retry(format!("the file cannot be written: {error}")),
                Err(_) => Outcome::retry("the writing was cut short"),
            };
            vec![outcome; batch.len()]
        })
    }
}

/// A message as one line: JSON without line breaks, whatever the body looks like.
fn line(message: &Message) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(&message.body).ok()?;
    let body = RawValue::from_string(body.to_string()).ok()?;
    let line = json!({"id": message.id, "kind": message.kind, "at": message.at.to_rfc3339(), "body": body});
    Some(format!("{line}\n"))
}

fn append(settings: &FileSettings, lines: &[String]) -> io::Result<()> {
    let directory = settings.path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    // A trial may come while messages are delivered: one of them writes at a time.
    let mut name = settings.path.as_os_str().to_owned();
    name.push(".lock");
    let guard = File::create(PathBuf::from(name))?;
    guard.lock()?;
    let (mut file, mut length) = open(&settings.path)?;
    let mut is_new = length == 0;
    for line in lines {
        if length > 0 && length + line.len() as u64 > settings.bytes_max {
            file.sync_data()?;
            put_aside(settings)?;
            (file, length) = open(&settings.path)?;
            is_new = true;
        }
        file.write_all(line.as_bytes())?;
        length += line.len() as u64;
    }
    file.sync_data()?;
    if is_new {
        // The file's name is durable only with its directory.
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Opens the file at its end. What a crash left of a line goes: it was never counted as delivered.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    file.seek(SeekFrom::Start(whole))?;
    Ok((file, whole))
}

/// Bytes up to and with the last line break.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const PIECE: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        Read::by_ref(&mut *file).take(end - start).read_to_end(&mut piece)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + place as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn put_aside(settings: &FileSettings) -> io::Result<()> {
    let aside = |number: u32| {
        let mut name = settings.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if settings.keep == 0 {
        return std::fs::remove_file(&settings.path);
    }
    for number in (1..settings.keep).rev() {
        match std::fs::rename(aside(number), aside(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(&settings.path, aside(1))
}
