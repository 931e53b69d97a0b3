//! What is on a recording.

use std::path::Path;

/// Which of these frequencies (Hz) is loudest in a recording (WAV, 8 kHz, 16 bit); none if all is silence.
pub fn loudest_tone(file: &Path, frequencies: &[u32]) -> Option<u32> {
    let samples = samples(file);
    let power = |frequency: u32| goertzel(&samples, f64::from(frequency));
    let loudest = frequencies.iter().copied().max_by(|one, other| power(*one).total_cmp(&power(*other)))?;
    // A tone of a hundredth of full scale over the whole recording.
    let audible = (samples.len() as f64 * 327.0 / 2.0).powi(2) / 100.0;
    (power(loudest) > audible).then_some(loudest)
}

fn samples(file: &Path) -> Vec<f64> {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(&bytes[..4], b"RIFF");
    bytes[44..].chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
}

/// The power of one frequency (G. Goertzel, 1958), at 8 kHz.
fn goertzel(samples: &[f64], frequency: f64) -> f64 {
    let turn = 2.0 * (std::f64::consts::TAU * frequency / 8000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (sample + turn * last - before, last);
    }
    last * last + before * before - turn * last * before
}
