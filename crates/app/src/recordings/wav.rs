//! Recordings as WAV files: whether one is whole, and making it so if the switch could not end it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// What a file is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    pub length: Duration,
    /// Whether it has as many bytes as it says: while it is being written it does not.
    pub is_whole: bool,
    /// Where its samples begin.
    offset: u64,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadWav {
    #[error("it is not a WAV file: {0}")]
    Format(#[from] hound::Error),
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Looks at a file.
pub(super) fn measure(path: &Path) -> Result<Measured, BadWav> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let reader = hound::WavReader::new(BufReader::new(file))?;
    let (spec, frames) = (reader.spec(), reader.duration());
    let offset = reader.into_inner().stream_position()?;
    let frame = u64::from(spec.channels) * u64::from(spec.bits_per_sample.div_ceil(8));
    let data = size.saturating_sub(offset);
    let is_whole = data == u64::from(frames) * frame;
    // A header that does not say what there is says nothing of the length either.
    let samples = data / frame.max(1);
    let length = Duration::from_millis(samples * 1000 / u64::from(spec.sample_rate.max(1)));
    Ok(Measured { length, is_whole, offset })
}

/// Has a file say as many bytes as it has: the switch ended before it could.
pub(super) fn mend(path: &Path, measured: &Measured) -> Result<(), BadWav> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let says = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&says(size.saturating_sub(8)))?;
    file.seek(SeekFrom::Start(measured.offset.saturating_sub(4)))?;
    file.write_all(&says(size.saturating_sub(measured.offset)))?;
    Ok(file.sync_all()?)
}

/// How large a file is, and the digest of its bytes.
pub(super) fn digest(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((bytes, digest.finalize().into()));
        }
        bytes += count as u64;
        digest.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second and a half of a recording as Asterisk writes it; the header may say something else.
    fn file(says: u32) -> tempfile::NamedTempFile {
        let mut bytes = b"RIFF".to_vec();
        bytes.extend_from_slice(&(36 + says).to_le_bytes());
        bytes.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend_from_slice(&8000_u32.to_le_bytes());
        bytes.extend_from_slice(&16_000_u32.to_le_bytes());
        bytes.extend_from_slice(b"\x02\0\x10\0data");
        bytes.extend_from_slice(&says.to_le_bytes());
        bytes.resize(44 + 24_000, 7);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn a_whole_file_is_known_by_its_header_and_its_length_by_its_samples() {
        let whole = measure(file(24_000).path()).unwrap();
        assert!(whole.is_whole);
        assert_eq!(whole.length, Duration::from_millis(1500));
        for says in [0, 8000, 32_000] {
            assert!(!measure(file(says).path()).unwrap().is_whole, "{says} of 24000 bytes");
        }
    }

    #[test]
    fn a_file_that_the_switch_could_not_end_is_whole_once_mended_and_keeps_its_samples() {
        let file = file(0);
        mend(file.path(), &measure(file.path()).unwrap()).unwrap();
        let mended = measure(file.path()).unwrap();
        assert!(mended.is_whole);
        assert_eq!(mended.length, Duration::from_millis(1500));
        let samples = hound::WavReader::open(file.path()).unwrap().into_samples::<i16>().count();
        assert_eq!(samples, 12_000);
    }

    #[test]
    fn what_is_no_recording_is_told_from_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"<html>").unwrap();
        assert!(matches!(measure(file.path()), Err(BadWav::Format(_))));
        assert_eq!(digest(file.path()).unwrap().0, 6);
    }
}
