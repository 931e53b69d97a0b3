//! Where uploaded files are kept until their imports are over.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use engine::{ImportId, TenantId};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::AppError;

/// Below the directory for data.
const DIRECTORY: &str = "imports";
/// What the names of unfinished uploads end with.
const UPLOAD_ENDING: &str = "upload";
/// An upload that is still unfinished after so long was given up; a file that no import asks for was left by a crash.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// The directory of uploaded files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

/// What a file is like as a whole.
pub(super) struct Sum {
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
}

impl Files {
    pub(super) fn open(data_dir: &Path) -> Result<Self, AppError> {
        let directory = data_dir.join(DIRECTORY);
        std::fs::create_dir_all(&directory)
            .map_err(|error| AppError::Internal(format!("cannot make the directory {DIRECTORY}: {error}")))?;
        Ok(Self { directory })
    }

    /// A new place for an upload.
    pub(super) fn upload(&self, id: Uuid) -> PathBuf {
        self.directory.join(format!("{}.{UPLOAD_ENDING}", id.simple()))
    }

    /// The name under which an import's file is kept. The tenant is part of it, so that a file that was left behind
    /// says whose it is.
    pub(super) fn name(tenant: TenantId, import: ImportId) -> String {
        format!("{}.{}", tenant.0.simple(), import.0.simple())
    }

    /// Whose file and of which import it is.
    pub(super) fn owner(name: &str) -> Option<(TenantId, ImportId)> {
        let (tenant, import) = name.split_once('.')?;
        Some((TenantId(Uuid::parse_str(tenant).ok()?), ImportId(Uuid::parse_str(import).ok()?)))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Reads a file through and waits until it is safe on the disk.
    pub(super) fn sum(path: &Path) -> io::Result<Sum> {
        let mut file = File::open(path)?;
        let (mut digest, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
            size += read as u64;
        }
        file.sync_all()?;
        Ok(Sum { size, sha256: digest.finalize().into() })
    }

    /// Gives an uploaded file its name for good. It survives a power cut from here on.
    pub(super) fn keep(&self, uploaded: &Path, name: &str) -> io::Result<()> {
        std::fs::rename(uploaded, self.path(name))?;
        File::open(&self.directory)?.sync_all()
    }

    /// Removes a file; it may be gone already.
    pub(super) fn remove(&self, name: &str) {
        if let Err(error) = std::fs::remove_file(self.path(name))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, name, "could not remove an imported file");
        }
    }

    /// Removes uploads that were given up, and names the other files that are old enough to be looked at.
    pub(super) fn sweep(&self, now: SystemTime) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        let mut old = Vec::new();
        for entry in entries.flatten() {
            let age =
                entry.metadata().and_then(|it| it.modified()).ok().and_then(|at| now.duration_since(at).ok());
            let Ok(name) = entry.file_name().into_string() else { continue };
            if age.is_none_or(|age| age < KEPT_FOR) {
                continue;
            }
            if name.ends_with(UPLOAD_ENDING) { self.remove(&name) } else { old.push(name) }
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_file_tells_whose_it_is() {
        let (tenant, import) = (TenantId(Uuid::from_u128(1)), ImportId(Uuid::from_u128(2)));
        assert_eq!(Files::owner(&Files::name(tenant, import)), Some((tenant, import)));
        assert_eq!(Files::owner("lost+found"), None);
    }

    #[test]
    fn only_what_is_old_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        let upload = files.upload(Uuid::from_u128(1));
        std::fs::write(&upload, "id\n").unwrap();
        std::fs::write(files.path("kept"), "id\n").unwrap();
        assert!(files.sweep(SystemTime::now()).is_empty() && upload.exists());
        assert_eq!(files.sweep(SystemTime::now() + KEPT_FOR + Duration::from_secs(60)), ["kept"]);
        assert!(!upload.exists());
    }
}
