//! The files that the switch plays, on this node.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use telephony::SoundFile;

use super::wav;
use crate::AppError;

/// Below the directory for data.
const DIRECTORY: &str = "messages";
/// How long a file stays that is not needed any more.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// The directory of sounds. A file is named by what it is, so that it never changes.
pub(super) struct Files {
    directory: PathBuf,
    ready: Mutex<HashSet<[u8; 32]>>,
}

/// Where they are, by the directory for data.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join(DIRECTORY)
}

/// A digest in hexadecimal.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Files {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { directory: directory(data_dir), ready: Mutex::default() }
    }

    /// The file of a sound, if it is there.
    pub(super) fn ready(&self, sha256: &[u8; 32]) -> Option<SoundFile> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.contains(sha256) { SoundFile::new(format!("{}.wav", hex(sha256))).ok() } else { None }
    }

    /// Writes the file of a sound, at the switch's rate. It is there whole or not at all.
    pub(super) async fn keep(&self, sha256: [u8; 32], wav: Vec<u8>) -> Result<(), AppError> {
        let directory = self.directory.clone();
        let name = hex(&sha256);
        let writing = move || -> Result<(), AppError> {
            let sound = wav::for_switch(&wav)?;
            write(&directory, &name, &sound.wav).map_err(|error| {
                tracing::error!(kind = ?error.kind(), "a message's sound could not be written");
                AppError::Unavailable("the disk for messages")
            })
        };
        tokio::task::spawn_blocking(writing)
            .await
            .map_err(|error| AppError::Internal(error.to_string()))??;
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256);
        Ok(())
    }
}

impl Files {
    /// Removes files of our own that nothing has named for a day, and what a crash left unfinished; a call that plays one
    /// has ended by then. What somebody else put there, such as the switch's own message, stays.
    pub(super) fn sweep(&self, in_use: &HashSet<[u8; 32]>, now: SystemTime) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return };
        let in_use: HashSet<String> = in_use.iter().map(|digest| format!("{}.wav", hex(digest))).collect();
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|it| it.modified()).ok();
            let is_old = changed.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > KEPT_FOR);
            let name = entry.file_name();
            let removable = name.to_str().is_some_and(|name| is_own(name) && !in_use.contains(name));
            if !is_old || !removable {
                continue;
            }
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.retain(|digest| entry.file_name() != format!("{}.wav", hex(digest)).as_str());
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(kind = ?error.kind(), "could not remove the file of a message");
            }
        }
    }
}

/// Whether a file is named like those that [`write()`] makes: a digest, then `.wav` or what an unfinished one has.
fn is_own(name: &str) -> bool {
    let (digest, rest) = name.split_once('.').unwrap_or_default();
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest && (rest == "wav" || rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // Two tasks may write the same sound at once.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let unfinished = directory.join(format!("{name}.{process}.{count}"));
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, directory.join(format!("{name}.wav")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_a_day_after_nothing_names_it_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::new(directory.path());
        let path = |digest: u8| files.directory.join(format!("{}.wav", hex(&[digest; 32])));
        for digest in [1, 2] {
            write(&files.directory, &hex(&[digest; 32]), b"sound").unwrap();
            files.ready.lock().unwrap().insert([digest; 32]);
        }
        // The switch's own message, which whoever runs it put there, and what a crash left.
        let (foreign, unfinished) =
            (files.directory.join("safe-harbour.wav"), path(3).with_extension("12.0"));
        for file in [&foreign, &unfinished] {
            std::fs::write(file, b"sound").unwrap();
        }
        let in_use = HashSet::from([[1; 32]]);
        files.sweep(&in_use, SystemTime::now());
        assert!(path(1).exists() && path(2).exists());
        files.sweep(&in_use, SystemTime::now() + Duration::from_secs(25 * 3600));
        assert!(path(1).exists() && !path(2).exists());
        assert!(foreign.exists() && !unfinished.exists());
        assert!(files.ready(&[1; 32]).is_some() && files.ready(&[2; 32]).is_none());
    }
}
