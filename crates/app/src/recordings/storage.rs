//! Where the files of recordings are kept.

use std::io::{self, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sinks::OpenError;
use sinks::objects::{BucketSettings, ObjectError, Objects};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, Take};

/// How the directory of this node is called as a place.
const DIRECTORY: &str = "directory";
/// What a bucket is called before its name.
const BUCKET: &str = "s3:";
/// What the names of files begin with that are not whole yet; those of recordings' directories are UUIDs.
const UNFINISHED: &str = "unfinished-";
/// How long one may stay unfinished: a file that takes longer than four hours is fetched anew.
const UNFINISHED_FOR: Duration = Duration::from_secs(6 * 3600);
/// Bytes that are read and sent at a time.
const PIECE: usize = 64 * 1024;

/// The bytes of a file, piece by piece.
pub type Bytestream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Where files are kept, as whoever runs the machine says.
#[derive(Clone, Debug, Default)]
pub struct RecordingSettings {
    /// The directory; without it `recordings` in the directory for data. Files on their way to a bucket pass through it,
    /// too.
    pub directory: Option<PathBuf>,
    /// The bucket to which new recordings go instead.
    pub s3: Option<BucketSettings>,
}

impl RecordingSettings {
    /// Checks what can be checked without asking the storage.
    ///
    /// # Errors
    /// A setting is none that could work.
    pub fn check(&self) -> Result<(), OpenError> {
        self.s3.as_ref().map_or(Ok(()), |bucket| Objects::open(bucket).map(drop))
    }
}

/// Why a file could not be kept, read or removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    #[error("the file cannot be written or read: {}", .0.kind())]
    Io(#[from] io::Error),
    #[error("{0}")]
    Object(#[from] ObjectError),
    #[error("it is in '{0}', which this node does not have")]
    OtherPlace(String),
}

pub(super) struct Storage {
    directory: PathBuf,
    bucket: Option<(String, Objects)>,
}

impl Storage {
    /// A directory alone.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory, bucket: None }
    }

    /// A directory, and a bucket that takes what is new.
    ///
    /// # Errors
    /// The bucket's settings are none that could work.
    pub fn with_bucket(directory: PathBuf, settings: &BucketSettings) -> Result<Self, OpenError> {
        let place = format!("{BUCKET}{}", settings.bucket);
        Ok(Self { directory, bucket: Some((place, Objects::open(settings)?)) })
    }

    /// Where new files go.
    pub fn place(&self) -> &str {
        self.bucket.as_ref().map_or(DIRECTORY, |(place, _)| place)
    }

    /// A new file for something that is not whole yet, on the same disk, which nobody else may read.
    pub async fn unfinished(&self, name: &str) -> Result<(PathBuf, File), StorageError> {
        fs::create_dir_all(&self.directory).await?;
        let path = self.directory.join(format!("{UNFINISHED}{name}"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).await?;
        Ok((path, file))
    }

    /// Keeps a whole file under this name, in place of one that is there. It outlives a power cut from then on.
    pub async fn keep(&self, unfinished: &Path, name: &str) -> Result<(), StorageError> {
        if let Some((_, objects)) = &self.bucket {
            let file = File::open(unfinished).await?;
            let bytes = file.metadata().await?.len();
            return Ok(objects.put(name, "audio/wav", file, bytes).await?);
        }
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

    /// Reads a file, or some of its bytes.
    pub async fn read(
        &self,
        place: &str,
        name: &str,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<Bytestream, StorageError> {
        if let Some(objects) = self.objects(place)? {
            let pieces = objects.get(name, part).await?;
            return Ok(Box::pin(pieces.map(|piece| piece.map_err(io::Error::other))));
        }
        let mut file = File::open(self.directory.join(name)).await?;
        let mut bytes = u64::MAX;
        if let Some(part) = part {
            file.seek(SeekFrom::Start(*part.start())).await?;
            bytes = (part.end() - part.start()).saturating_add(1);
        }
        Ok(Box::pin(futures_util::stream::unfold(Some(file.take(bytes)), next_piece)))
    }

    /// Removes a file; one that is not there is removed already.
    pub async fn remove(&self, place: &str, name: &str) -> Result<(), StorageError> {
        if let Some(objects) = self.objects(place)? {
            return Ok(objects.remove(name).await?);
        }
        match fs::remove_file(self.directory.join(name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes what a crash left unfinished and nobody will finish.
    pub async fn sweep(&self, now: SystemTime) -> Result<(), StorageError> {
        let Ok(mut entries) = fs::read_dir(&self.directory).await else { return Ok(()) };
        while let Some(entry) = entries.next_entry().await? {
            let is_unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let changed = entry.metadata().await?.modified()?;
            if is_unfinished && now.duration_since(changed).is_ok_and(|age| age > UNFINISHED_FOR) {
                fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }

    /// The bucket that is meant by a place; none for the directory.
    fn objects(&self, place: &str) -> Result<Option<&Objects>, StorageError> {
        match &self.bucket {
            _ if place == DIRECTORY => Ok(None),
            Some((own, objects)) if own == place => Ok(Some(objects)),
            _ => Err(StorageError::OtherPlace(place.to_owned())),
        }
    }
}

/// The next piece of a file, until its end or the first error.
async fn next_piece(file: Option<Take<File>>) -> Option<(io::Result<Bytes>, Option<Take<File>>)> {
    let mut file = file?;
    let mut piece = Vec::with_capacity(PIECE);
    match file.read_buf(&mut piece).await {
        Ok(0) => None,
        Ok(_) => Some((Ok(piece.into()), Some(file))),
        Err(error) => Some((Err(error), None)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn kept(storage: &Storage, bytes: &[u8], name: &str) {
        let (path, mut file) = storage.unfinished("one").await.unwrap();
        file.write_all(bytes).await.unwrap();
        file.flush().await.unwrap();
        storage.keep(&path, name).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_is_kept_read_in_pieces_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::new(directory.path().join("new"));
        let bytes: Vec<u8> = (0..200_000_u32).map(|byte| byte as u8).collect();
        kept(&storage, &bytes, "tenant/2026-01/a.wav").await;
        let pieces: Vec<_> =
            storage.read(DIRECTORY, "tenant/2026-01/a.wav", None).await.unwrap().collect().await;
        assert!(pieces.len() > 1);
        assert_eq!(pieces.into_iter().flat_map(|piece| piece.unwrap()).collect::<Vec<_>>(), bytes);
        for part in [0..=0, 70_000..=169_999, 199_999..=199_999] {
            let given = storage.read(DIRECTORY, "tenant/2026-01/a.wav", Some(part.clone())).await.unwrap();
            let given: Vec<u8> =
                given.flat_map(|piece| futures_util::stream::iter(piece.unwrap())).collect().await;
            assert!(given == bytes[*part.start() as usize..=*part.end() as usize], "{part:?}");
        }
        for _ in 0..2 {
            storage.remove(DIRECTORY, "tenant/2026-01/a.wav").await.unwrap();
        }
        assert!(storage.read(DIRECTORY, "tenant/2026-01/a.wav", None).await.is_err());
        let elsewhere = storage.read("elsewhere", "a.wav", None).await.err().unwrap();
        assert!(elsewhere.to_string().contains("'elsewhere'"), "{elsewhere}");
    }

    #[tokio::test]
    async fn what_a_crash_left_unfinished_goes_after_six_hours_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Storage::new(directory.path().to_owned());
        kept(&storage, b"whole", "whole.wav").await;
        let (path, _) = storage.unfinished("other").await.unwrap();
        storage.sweep(SystemTime::now()).await.unwrap();
        assert!(path.exists(), "somebody may be at it");
        storage.sweep(SystemTime::now() + Duration::from_secs(7 * 3600)).await.unwrap();
        assert!(!path.exists() && directory.path().join("whole.wav").exists());
    }
}
