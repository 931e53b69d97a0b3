//! Sounds as WAV files: checking what is uploaded, and making what the switch plays.

use std::io::Cursor;
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rubato::{FftFixedIn, Resampler};

use crate::AppError;

/// Bytes of an uploaded sound at most: eleven minutes at 8 kHz, which is longer than anybody listens.
pub const SOUND_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Samples a second of what the switch plays: narrow-band telephony (ITU-T G.711).
const SWITCH_RATE: u32 = 8000;
/// Frames that the resampler takes at once: an eighth of a second of the speech that it is given.
const CHUNK: usize = 2048;

/// A sound that was checked.
pub(super) struct Checked {
    /// The sound alone, in a file of its own: whatever else the uploaded file said is left out.
    pub wav: Vec<u8>,
    pub length: Duration,
    pub rate: u32,
}

fn bad(code: &'static str, message: impl Into<String>) -> AppError {
    AppError::invalid(code, "", message)
}

/// Checks an uploaded sound: WAV, PCM, 16 bit, one channel, 8 or 16 kHz, whole, and not empty.
pub(super) fn check(bytes: &[u8]) -> Result<Checked, AppError> {
    let (samples, spec) = read(bytes)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = spec;
    if sample_format != SampleFormat::Int || bits_per_sample != 16 {
        return Err(bad(
            "sound_not_16_bit",
            format!("its samples have {bits_per_sample} bits: save it as 16 bit PCM"),
        ));
    }
    if channels != 1 {
        return Err(bad("sound_not_mono", format!("it has {channels} channels: save it with one")));
    }
    if !matches!(sample_rate, 8000 | 16_000) {
        let message = format!("it has {sample_rate} samples a second: save it with 8000 or 16000");
        return Err(bad("sound_rate", message));
    }
    if samples.is_empty() {
        return Err(bad("sound_empty", "there is nothing in it"));
    }
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(sample_rate));
    Ok(Checked { wav: write(&samples, sample_rate)?, length, rate: sample_rate })
}

/// The samples, if they have 16 bits; of others only what they are like.
fn read(bytes: &[u8]) -> Result<(Vec<i16>, WavSpec), AppError> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|error| match error {
        hound::Error::Unsupported => bad("sound_not_pcm", "it is compressed: save it as PCM, which is not"),
        other => bad("sound_not_wav", format!("it cannot be read as a WAV file ({other}): upload one")),
    })?;
    let spec = reader.spec();
    if spec.sample_format != SampleFormat::Int || spec.bits_per_sample != 16 {
        return Ok((Vec::new(), spec));
    }
    let samples = reader.into_samples::<i16>().collect::<Result<Vec<_>, _>>();
    let samples =
        samples.map_err(|_| bad("sound_cut_short", "it ends before its last sample: upload it again"))?;
    Ok((samples, spec))
}

fn write(samples: &[i16], rate: u32) -> Result<Vec<u8>, AppError> {
    let internal = |error: hound::Error| AppError::Internal(format!("a sound could not be written: {error}"));
    let spec =
        WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = Cursor::new(Vec::with_capacity(samples.len() * 2 + 44));
    let mut writer = WavWriter::new(&mut file, spec).map_err(internal)?;
    {
        let mut all = writer.get_i16_writer(u32::try_from(samples.len()).unwrap_or(u32::MAX));
        samples.iter().for_each(|sample| all.write_sample(*sample));
        all.flush().map_err(internal)?;
    }
    writer.finalize().map_err(internal)?;
    Ok(file.into_inner())
}

/// The sound as the switch plays it: 8 kHz. Any rate is taken.
pub(super) fn for_switch(bytes: &[u8]) -> Result<Checked, AppError> {
    let (samples, spec) = read(bytes)?;
    if spec.channels != 1 || samples.is_empty() {
        return Err(bad("sound_empty", "it is not a sound with one channel of 16 bit"));
    }
    let samples = if spec.sample_rate == SWITCH_RATE {
        samples
    } else {
        resample(&samples, spec.sample_rate)
            .map_err(|error| AppError::Internal(format!("a sound could not be resampled: {error}")))?
    };
    let length = Duration::from_secs_f64(samples.len() as f64 / f64::from(SWITCH_RATE));
    Ok(Checked { wav: write(&samples, SWITCH_RATE)?, length, rate: SWITCH_RATE })
}

fn resample(samples: &[i16], rate: u32) -> Result<Vec<i16>, Box<dyn std::error::Error>> {
    let mut resampler = FftFixedIn::<f32>::new(rate as usize, SWITCH_RATE as usize, CHUNK, 2, 1)?;
    let input: Vec<f32> = samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    let wanted = (samples.len() as u64 * u64::from(SWITCH_RATE) / u64::from(rate)) as usize;
    let delay = resampler.output_delay();
    let mut out: Vec<f32> = Vec::with_capacity(wanted + delay);
    let mut chunks = input.chunks_exact(resampler.input_frames_next());
    for chunk in &mut chunks {
        out.extend_from_slice(&resampler.process(&[chunk], None)?[0]);
    }
    out.extend_from_slice(&resampler.process_partial(Some(&[chunks.remainder()]), None)?[0]);
    while out.len() < wanted + delay {
        out.extend_from_slice(&resampler.process_partial(None::<&[&[f32]]>, None)?[0]);
    }
    // A cast of a number beyond the range gives the end of the range.
    let sample = |value: &f32| (value * 32_768.0).round() as i16;
    Ok(out.iter().skip(delay).take(wanted).map(sample).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of this frequency, a second long.
    fn tone(rate: u32, frequency: f64) -> Vec<i16> {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        (0..rate).map(|n| (f64::from(n) * step).sin() * 10_000.0).map(|value| value as i16).collect()
    }

    fn code(bytes: &[u8]) -> &'static str {
        check(bytes).map(|_| "good").unwrap_or_else(|error| error.code())
    }

    #[test]
    fn a_sound_that_cannot_be_played_is_refused_by_name() {
        assert_eq!(code(&write(&tone(8000, 440.0), 8000).unwrap()), "good");
        assert_eq!(code(&write(&tone(16_000, 440.0), 16_000).unwrap()), "good");
        assert_eq!(code(&write(&tone(44_100, 440.0), 44_100).unwrap()), "sound_rate");
        assert_eq!(code(&write(&[], 8000).unwrap()), "sound_empty");
        assert_eq!(code(b"ID3 an mp3"), "sound_not_wav");
        let whole = write(&tone(8000, 440.0), 8000).unwrap();
        assert_eq!(code(&whole[..whole.len() - 100]), "sound_cut_short");
        let of = |channels, bits_per_sample| {
            let sample_format = SampleFormat::Int;
            let spec = WavSpec { channels, sample_rate: 8000, bits_per_sample, sample_format };
            let mut file = Cursor::new(Vec::new());
            let mut writer = WavWriter::new(&mut file, spec).unwrap();
            (0..100).for_each(|_| writer.write_sample(1_i8).unwrap());
            writer.finalize().unwrap();
            file.into_inner()
        };
        assert_eq!(code(&of(2, 16)), "sound_not_mono");
        assert_eq!(code(&of(1, 8)), "sound_not_16_bit");
        let mut compressed = whole;
        compressed[20] = 7; // the format's tag: mu-law
        assert!(["sound_not_pcm", "sound_not_wav"].contains(&code(&compressed)));
    }

    #[test]
    fn what_else_a_file_says_is_not_kept() {
        let mut file = write(&tone(8000, 440.0), 8000).unwrap();
        let plain = file.clone();
        file.extend_from_slice(b"LIST\x08\x00\x00\x00Jane Doe");
        assert_eq!(check(&file).unwrap().wav, plain);
    }

    #[test]
    fn a_tone_is_the_same_tone_at_the_switchs_rate() {
        for rate in [16_000, 22_050] {
            let made = for_switch(&write(&tone(rate, 440.0), rate).unwrap()).unwrap();
            assert_eq!((made.rate, made.length), (8000, Duration::from_secs(1)));
            let (samples, _) = read(&made.wav).unwrap();
            let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!((438..=441).contains(&crossings), "{crossings} Hz from {rate}");
            let peak = samples[1000..7000].iter().copied().max().unwrap();
            assert!((9_800..=10_200).contains(&peak), "a peak of {peak} from {rate}");
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_is_taken_out_and_not_folded_back() {
        let made = for_switch(&write(&tone(16_000, 6000.0), 16_000).unwrap()).unwrap();
        let (samples, _) = read(&made.wav).unwrap();
        assert!(samples[500..7500].iter().all(|sample| sample.abs() < 100));
    }
}
