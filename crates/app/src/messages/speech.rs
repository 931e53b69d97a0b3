//! Speaking a text by a program of the machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::wav;

/// How long speaking the longest text may take: it is spoken some hundred times faster than it is said.
const SPEAKING_MAX: Duration = Duration::from_secs(30);

/// A program that speaks as espeak-ng does: `-v LANGUAGE --stdin --stdout` gives a WAV file of what it reads.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    program: PathBuf,
}

impl Speech {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Whether the program is there and can be run; if not, why.
    pub(super) async fn check(&self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.kill_on_drop(true).status();
        match tokio::time::timeout(SPEAKING_MAX, status).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("it ended with {status}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it did not end".to_owned()),
        }
    }

    /// The text as a sound of 8 kHz; if not, why, in words for whoever wrote the message.
    pub(super) async fn speak(&self, text: &str, language: &str) -> Result<wav::Checked, String> {
        let mut command = Command::new(&self.program);
        // The text goes in by a pipe: it can be no option, and no other user of the machine sees it.
        command.args(["-v", language, "--stdin", "--stdout"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("it cannot be run: {error}"))?;
        let mut input = child.stdin.take();
        let text = text.to_owned();
        let writing = async move {
            if let Some(input) = &mut input {
                // A program that ends early says why by its status.
                let _ = input.write_all(text.as_bytes()).await;
            }
            drop(input);
        };
        let both = async { tokio::join!(writing, child.wait_with_output()).1 };
        let output = match tokio::time::timeout(SPEAKING_MAX, both).await {
            Ok(output) => output.map_err(|error| error.to_string())?,
            Err(_) => return Err("it did not end in time".to_owned()),
        };
        if !output.status.success() {
            return Err(format!("it ended with {}: does it have a voice for '{language}'?", output.status));
        }
        wav::for_switch(&with_true_lengths(output.stdout)).map_err(|error| error.to_string())
    }
}

/// A WAV file that was written to a pipe says in its header that it is longer than it is, because its writer could not
/// know: the lengths are set right.
fn with_true_lengths(mut wav: Vec<u8>) -> Vec<u8> {
    const HEADER: usize = 44;
    if wav.len() > HEADER && wav.starts_with(b"RIFF") && wav[36..40] == *b"data" {
        wav.truncate(wav.len() - (wav.len() - HEADER) % 2);
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
        let (whole, data) = (length(wav.len() - 8), length(wav.len() - HEADER));
        wav[4..8].copy_from_slice(&whole);
        wav[40..44].copy_from_slice(&data);
    }
    wav
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for the program that is there on every machine.
    fn script(text: &str) -> (tempfile::TempDir, Speech) {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("speak");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (directory, Speech::new(path))
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_as_such() {
        let speech = Speech::new("/nowhere/espeak-ng".into());
        assert!(speech.check().await.is_err());
        assert!(speech.speak("Hello", "en").await.is_err());
    }

    #[tokio::test]
    async fn a_program_that_fails_is_told_with_its_status() {
        let (_directory, speech) = script("#!/bin/sh\nexit 3\n");
        let error = speech.speak("Hello", "xx").await.err().unwrap();
        assert!(error.contains('3') && error.contains("'xx'"), "{error}");
    }

    #[tokio::test]
    async fn a_sound_whose_header_was_written_in_ignorance_is_read_whole() {
        // 44 bytes of header that promise 2 GB, then half a second of silence at 22050 Hz, a program that only copies.
        let mut wav = b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00".to_vec();
        wav.extend_from_slice(&22_050_u32.to_le_bytes());
        wav.extend_from_slice(&44_100_u32.to_le_bytes());
        wav.extend_from_slice(b"\x02\x00\x10\x00data\xff\xff\xff\x7f");
        wav.resize(44 + 22_050, 0);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &wav).unwrap();
        let (_directory, speech) =
            script(&format!("#!/bin/sh\ncat > /dev/null\ncat {}\n", file.path().display()));
        let spoken = speech.speak("Hello", "en").await.unwrap();
        assert_eq!((spoken.rate, spoken.length), (8000, Duration::from_millis(500)));
    }
}
