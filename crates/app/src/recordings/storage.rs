//! Where the files of recordings are kept.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncReadExt;

/// How the directory of this node is called as a place.
const DIRECTORY: &str = "directory";
/// What the names of files begin with that are not whole yet; those of recordings' directories are UUIDs.
const UNFINISHED: &str = "unfinished-";
/// Bytes that are read and sent at a time.
const PIECE: usize = 64 * 1024;

/// The bytes of a file, piece by piece.
pub type Bytestream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Where files are kept, as whoever runs the machine says.
#[derive(Clone, Debug, Default)]
pub struct RecordingSettings {
    /// The directory; without it `recordings` in the directory for data.
    pub directory: Option<PathBuf>,
}

/// Why a file could not be kept, read or removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    #[error("the file cannot be written or read: {}", .0.kind())]
    Io(#[from] io::Error),
    #[error("it is in '{0}', which this node does not have")]
    OtherPlace(String),
}

pub(super) struct Storage {
    directory: PathBuf,
}

impl Storage {
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where new files go.
    pub fn place(&self) -> &str {
        DIRECTORY
    }

    /// A new file for something that is not whole yet, on the same disk, which nobody else may read.
    pub async fn unfinished(&self, name: &str) -> Result<(PathBuf, File), StorageError> {
        fs::create_dir_all(&self.directory).await?;
        let path = self.directory.join(format!("{UNFINISHED}{name}"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).await?;
        Ok((path, file))
    }

    /// Keeps a whole file under this name, in place of one that is there. It is on disk afterwards.
    pub async fn keep(&self, unfinished: &Path, name: &str) -> Result<(), StorageError> {
        let path = self.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).await?;
        }
        File::open(unfinished).await?.sync_all().await?;
        fs::rename(unfinished, &path).await?;
        if let Some(parent) = path.parent() {
            // So that the name outlives a power cut, too.
            File::open(parent).await?.sync_all().await?;
        }
        Ok(())
    }

    /// Reads a file.
    pub async fn read(&self, place: &str, name: &str) -> Result<Bytestream, StorageError> {
        let file = File::open(self.path(place, name)?).await?;
        Ok(Box::pin(futures_util::stream::unfold(Some(file), next_piece)))
    }

    /// Removes a file; one that is not there is removed already.
    pub async fn remove(&self, place: &str, name: &str) -> Result<(), StorageError> {
        match fs::remove_file(self.path(place, name)?).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn path(&self, place: &str, name: &str) -> Result<PathBuf, StorageError> {
        if place == DIRECTORY {
            Ok(self.directory.join(name))
        } else {
            Err(StorageError::OtherPlace(place.to_owned()))
        }
    }
}

/// The next piece of a file, until its end or the first error.
async fn next_piece(file: Option<File>) -> Option<(io::Result<Bytes>, Option<File>)> {
    let mut file = file?;
    let mut piece = Vec::with_capacity(PIECE);
    match file.read_buf(&mut piece).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(piece.into()), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}
