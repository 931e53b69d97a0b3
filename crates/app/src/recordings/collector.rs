//! Fetching finished recordings from the switch, and removing what is not to be there any more, until it is done.

use std::sync::Arc;
use std::time::Duration;

use engine::{AttemptId, Time};
use futures_util::StreamExt;
use store::records::recordings::{self as rows, DueRecording, Recording, RecordingFile, RecordingState};
use telephony::{DriverError, Fetched};
use tokio::io::AsyncWriteExt;

use super::storage::StorageError;
use super::wav::{self, BadWav};
use crate::{App, AppError};

/// How often it is looked for something to do. The switch's word that a recording is finished comes at once, but may come
/// before the attempt's end is stored, or not at all.
const EVERY: Duration = Duration::from_secs(5);
/// Things done at once: what takes long is a file coming over the network.
const AT_ONCE_MAX: usize = 4;
/// Things looked at together.
const TASKS: u32 = 100;
/// The wait after the first try that failed; each further one waits twice as long, up to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));
/// How long the first try to bring a file may take, and the longest that any may: each one may take twice as long. A node
/// that dies meanwhile keeps the file from being fetched for so long.
const FETCH_MAX: (Duration, Duration) = (Duration::from_secs(600), Duration::from_secs(4 * 3600));
/// How long it is waited before a recording that goes on is looked for again.
const GOES_ON: Duration = Duration::from_secs(60);
/// After so many tries, ten seconds apart, a file that is not whole though nothing writes it is mended: the switch died
/// before it could end it.
const TRIES_UNTIL_MENDED: u32 = 2;
/// After so many tries, over 40 minutes, what no switch has is missing.
const TRIES_UNTIL_MISSING: u32 = 9;

/// Why something was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("{0}")]
    Switch(#[from] DriverError),
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("the switch's file: {0}")]
    Wav(#[from] BadWav),
    #[error("the switch does not have it")]
    Absent,
    #[error("it is not whole yet")]
    NotWhole,
    #[error("it took too long")]
    TooLong,
    #[error("{0}")]
    App(#[from] AppError),
}

impl From<std::io::Error> for NotDone {
    fn from(error: std::io::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Does what is due, now and whenever something is. Runs until dropped.
pub(super) async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = app.collect_recordings().await {
            tracing::warn!(%error, "could not look for recordings to fetch");
        }
        // Whichever comes first.
        let _ = tokio::time::timeout(EVERY, app.floor.recording_is_due()).await;
    }
}

/// How long to wait before another try, after so many.
fn back_off(tries: u32) -> Duration {
    doubled(BACK_OFF, tries)
}

/// The first span, doubled so many times, up to the second.
fn doubled((first, longest): (Duration, Duration), times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(longest)
}

impl App {
    /// Fetches recordings that are finished from the switch, and removes files of those that were deleted or expired,
    /// as far as that is due. It happens by itself, every few seconds and when the switch says that one is finished.
    ///
    /// # Errors
    /// The database failed; what was done before stays done.
    pub async fn collect_recordings(&self) -> Result<(), AppError> {
        let with_switch = self.floor.driver().records();
        loop {
            let now = self.clock.now();
            let due = self.read(move |tx| Ok(rows::due(tx, now, with_switch, TASKS)?)).await?;
            let count = due.len();
            let mut tasks = futures_util::stream::iter(due)
                .map(|task| self.attend_to(task))
                .buffer_unordered(AT_ONCE_MAX);
            while let Some(outcome) = tasks.next().await {
                outcome?;
            }
            // What was not done is due later.
            if count < TASKS as usize {
                break;
            }
        }
        let pending = self.read(|tx| Ok(rows::pending(tx)?)).await?;
        metrics::gauge!("outdial_recordings_pending").set(pending as f64);
        Ok(())
    }

    /// Counts what became of a recording, or of a try to do something about one.
    fn count(outcome: &'static str) {
        metrics::counter!("outdial_recordings_total", "outcome" => outcome).increment(1);
    }

    async fn attend_to(&self, task: DueRecording) -> Result<(), AppError> {
        let task = Arc::new(task);
        let (claimed, now) = (Arc::clone(&task), self.clock.now());
        // Nobody else takes it on meanwhile.
        let at_most = doubled(FETCH_MAX, task.tries);
        let until = now + at_most;
        if !self.write(move |tx| Ok(rows::claim(tx, &claimed, until)?)).await? {
            return Ok(());
        }
        let outcome = match task.recording.state {
            RecordingState::Pending => {
                tokio::time::timeout(at_most, self.fetch(&task)).await.unwrap_or(Err(NotDone::TooLong))
            }
            _ => self.clear_away(&task).await,
        };
        let Err(error) = outcome else { return Ok(()) };
        let attempt = task.recording.attempt;
        Self::count("failed");
        tracing::warn!(%attempt, tries = task.tries + 1, %error, "a recording is not done with; trying again");
        let again = self.clock.now() + back_off(task.tries);
        self.write(move |tx| Ok(rows::try_again(tx, attempt, until, again)?)).await
    }

    /// Brings a file from the switch to its storage, then removes the switch's.
    async fn fetch(&self, task: &DueRecording) -> Result<(), NotDone> {
        let recording = &task.recording;
        let attempt = recording.attempt;
        let (path, mut file) = self.recordings().unfinished(&attempt.to_string()).await?;
        let fetched = self.floor.driver().fetch_recording(&recording.name, &mut file).await;
        file.flush().await?;
        drop(file);
        let outcome = match fetched {
            Ok(Fetched::Written) => self.keep(task, &path).await,
            Ok(Fetched::Unfinished) => {
                let again = self.clock.now() + GOES_ON;
                Ok(self.write(move |tx| Ok(rows::goes_on(tx, attempt, again)?)).await?)
            }
            Ok(Fetched::Absent) if task.tries + 1 >= TRIES_UNTIL_MISSING => {
                tracing::error!(%attempt, "no switch has the recording of a call: it is missing");
                self.write(move |tx| Ok(rows::missing(tx, attempt)?)).await?;
                Self::count("missing");
                Ok(())
            }
            Ok(Fetched::Absent) => Err(NotDone::Absent),
            Err(error) => Err(error.into()),
        };
        // Where it was kept it is there no more.
        let _ = tokio::fs::remove_file(&path).await;
        outcome
    }

    async fn keep(&self, task: &DueRecording, path: &std::path::Path) -> Result<(), NotDone> {
        let recording = &task.recording;
        let (attempt, may_mend) = (recording.attempt, task.tries + 1 >= TRIES_UNTIL_MENDED);
        let unfinished = path.to_owned();
        let looking = move || -> Result<_, NotDone> {
            let measured = wav::measure(&unfinished)?;
            match measured.is_whole {
                true => {}
                false if may_mend => wav::mend(&unfinished, &measured)?,
                false => return Err(NotDone::NotWhole),
            }
            Ok((measured.length, wav::digest(&unfinished)?))
        };
        let looked = tokio::task::spawn_blocking(looking).await;
        let (length, (bytes, sha256)) = looked.map_err(|error| AppError::Internal(error.to_string()))??;
        let (place, name) = (self.recordings().place().to_owned(), file_name(recording));
        self.recordings().keep(path, &name).await?;
        let (file, now) = (RecordingFile { place, file: name, length, bytes, sha256 }, self.clock.now());
        let kept = file.clone();
        if !self.write(move |tx| Ok(rows::put_file(tx, attempt, &kept, now)?)).await? {
            // Deleted meanwhile, or stored by another node, which then has it under the same name.
            return self.drop_if_unwanted(attempt, &file).await;
        }
        Self::count("stored");
        tracing::debug!(%attempt, bytes, "a recording was stored");
        self.floor.driver().remove_recording(&recording.name).await?;
        Ok(self.write(move |tx| Ok(rows::off_switch(tx, attempt)?)).await?)
    }

    async fn drop_if_unwanted(&self, attempt: AttemptId, file: &RecordingFile) -> Result<(), NotDone> {
        let wanted = self.read(move |tx| Ok(rows::has_file(tx, attempt)?)).await?;
        if !wanted {
            self.recordings().remove(&file.place, &file.file).await?;
        }
        Ok(())
    }

    /// Removes files that are not to be there any more.
    async fn clear_away(&self, task: &DueRecording) -> Result<(), NotDone> {
        let Recording { attempt, state, name, file, .. } = &task.recording;
        let attempt = *attempt;
        if matches!(state, RecordingState::Expired | RecordingState::Deleted)
            && let Some((place, file)) = file
        {
            self.recordings().remove(place, file).await?;
            self.write(move |tx| Ok(rows::off_storage(tx, attempt)?)).await?;
        }
        if task.on_switch {
            self.floor.driver().remove_recording(name).await?;
            self.write(move |tx| Ok(rows::off_switch(tx, attempt)?)).await?;
        }
        Ok(())
    }
}

/// The name of a recording's file in its storage: the tenant, the month in which it began (UTC), and its own name.
fn file_name(recording: &Recording) -> String {
    let month = month(recording.started_at);
    format!("{}/{month}/{}.wav", recording.tenant, recording.name)
}

fn month(at: Time) -> String {
    at.to_rfc3339().chars().take("2026-01".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_between_tries_grow_to_an_hour_and_nothing_is_given_up_on_quickly() {
        assert_eq!(back_off(0), Duration::from_secs(10));
        assert_eq!(back_off(3), Duration::from_secs(80));
        assert_eq!(back_off(1000), Duration::from_secs(3600));
        let until_missing: Duration = (0..TRIES_UNTIL_MISSING - 1).map(back_off).sum();
        assert!(until_missing > Duration::from_secs(2400), "{until_missing:?}");
        let until_mended: Duration = (0..TRIES_UNTIL_MENDED - 1).map(back_off).sum();
        assert_eq!(until_mended, Duration::from_secs(10));
    }
}
