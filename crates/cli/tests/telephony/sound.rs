//! What is on a recording.

use std::path::Path;

const RATE: usize = 8000;
/// A tone is looked for in pieces of a fifth of a second.
const PIECE: usize = RATE / 5;
/// The same for a tone that is no longer than such a piece, and may lie across two of them.
const SHORT_PIECE: usize = RATE / 50;

/// For how many seconds a tone (Hz) is what is heard on a recording (WAV, 8 kHz, 16 bit): it carries most of the power and
/// is louder than a hundredth of full scale.
pub fn seconds_of(file: &Path, frequency: u32) -> f64 {
    in_pieces(file, frequency, PIECE)
}

/// The same for a short tone.
pub fn seconds_of_short(file: &Path, frequency: u32) -> f64 {
    in_pieces(file, frequency, SHORT_PIECE)
}

fn in_pieces(file: &Path, frequency: u32, length: usize) -> f64 {
    let samples = samples(file);
    let pieces = samples.chunks_exact(length).filter(|piece| is_heard(piece, frequency)).count();
    pieces as f64 * length as f64 / RATE as f64
}

/// For how many seconds a tone is heard on a recording, perhaps with others: it carries a fifth of the power or more.
pub fn seconds_with(file: &Path, frequency: u32) -> f64 {
    let samples = samples(file);
    let pieces = samples.chunks_exact(PIECE).filter(|piece| share_of(piece, frequency) > 0.2).count();
    pieces as f64 * PIECE as f64 / RATE as f64
}

/// When a tone is first heard, in seconds from the recording's beginning.
pub fn first_second_of(file: &Path, frequency: u32) -> Option<f64> {
    let samples = samples(file);
    let piece = samples.chunks_exact(PIECE).position(|piece| is_heard(piece, frequency))?;
    Some(piece as f64 * PIECE as f64 / RATE as f64)
}

fn is_heard(piece: &[f64], frequency: u32) -> bool {
    share_of(piece, frequency) > 0.5
}

/// Which part of the power a tone carries; none of what is softer than a hundredth of full scale.
fn share_of(piece: &[f64], frequency: u32) -> f64 {
    let power = piece.iter().map(|sample| sample * sample).sum::<f64>();
    // A pure tone of amplitude a has the power n·a²/2, and Goertzel's figure for it is (n·a/2)².
    let of_tone = goertzel(piece, f64::from(frequency)) * 2.0 / piece.len() as f64;
    if power > piece.len() as f64 * 327.0 * 327.0 / 2.0 { of_tone / power } else { 0.0 }
}

/// How long a recording is, in seconds.
pub fn length_of(file: &Path) -> f64 {
    samples(file).len() as f64 / RATE as f64
}

fn samples(file: &Path) -> Vec<f64> {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(&bytes[..4], b"RIFF");
    bytes[44..].chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
}

/// The power of one frequency (G. Goertzel, 1958).
fn goertzel(samples: &[f64], frequency: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * frequency / RATE as f64).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + turn * last - before, last);
    }
    last * last + before * before - turn * last * before
}
