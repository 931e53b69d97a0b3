//! The files that the switch plays, on this node.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use telephony::SoundFile;

use super::wav;
use crate::AppError;

/// Below the directory for data.
const DIRECTORY: &str = "messages";

/// The directory of sounds. A file is named by what it is, so that it never changes.
pub(super) struct Files {
    directory: PathBuf,
    ready: Mutex<HashSet<[u8; 32]>>,
}

/// A digest in hexadecimal.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Files {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { directory: data_dir.join(DIRECTORY), ready: Mutex::default() }
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

fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    // Two tasks may write the same sound at once.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let unfinished = directory.join(format!("{name}.{process}.{count}"));
    std::fs::write(&unfinished, bytes)?;
    std::fs::rename(unfinished, directory.join(format!("{name}.wav")))
}
