//! A switch that records: the simulated carrier, with the same sound for every conversation. And a clock that jumps.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Time;
use telephony::{
    BoxFuture, Clock, Control, Driver, DriverError, Fetched, LiveCall, Request, ScaledClock, SendError,
    SimulatedCarrier, SystemClock,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A second and a half of sound (8 kHz, 16 bit) of which the header says so many bytes.
pub fn recording(says: u32) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(36 + says).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend_from_slice(&says.to_le_bytes());
    file.extend((0..24_000_u32).map(|byte| (byte % 251) as u8));
    file
}

/// The bytes of sound in it.
pub const SOUND_BYTES: u32 = 24_000;

/// How the switch is with files.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mood {
    Good,
    /// It does not answer.
    Away,
    /// It died before it could end the file.
    Cut,
    /// It lost them.
    Empty,
}

pub struct Recorder {
    carrier: Arc<SimulatedCarrier>,
    /// What it recorded, and was told to do about it: `true` records.
    asked: Mutex<BTreeMap<String, Vec<bool>>>,
    mood: Mutex<Mood>,
}

impl Recorder {
    pub fn over(carrier: Arc<SimulatedCarrier>) -> Self {
        Self { carrier, asked: Mutex::default(), mood: Mutex::new(Mood::Good) }
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The names of files that it has, and what it was asked about each.
    pub fn files(&self) -> BTreeMap<String, Vec<bool>> {
        self.asked.lock().unwrap().clone()
    }

    fn mood(&self) -> Result<Mood, DriverError> {
        match *self.mood.lock().unwrap() {
            Mood::Away => Err(DriverError::NotConnected),
            mood => Ok(mood),
        }
    }
}

impl Driver for Recorder {
    fn send(&self, request: Request) -> Result<(), SendError> {
        if let Request::Control { control, .. } = &request {
            let mut asked = self.asked.lock().unwrap();
            match control {
                Control::Record(name) => asked.entry(name.clone()).or_default().push(true),
                Control::StopRecording(name) => asked.entry(name.clone()).or_default().push(false),
                _ => {}
            }
        }
        self.carrier.send(request)
    }

    fn is_connected(&self) -> bool {
        self.carrier.is_connected()
    }

    fn live_calls(&self) -> BoxFuture<'_, Result<Vec<LiveCall>, DriverError>> {
        self.carrier.live_calls()
    }

    fn records(&self) -> bool {
        true
    }

    fn fetch_recording<'a>(
        &'a self,
        name: &'a str,
        into: &'a mut (dyn AsyncWrite + Send + Unpin),
    ) -> BoxFuture<'a, Result<Fetched, DriverError>> {
        Box::pin(async move {
            let file = match self.mood()? {
                _ if !self.files().contains_key(name) => return Ok(Fetched::Absent),
                Mood::Empty => return Ok(Fetched::Absent),
                Mood::Cut => recording(0),
                _ => recording(SOUND_BYTES),
            };
            into.write_all(&file).await.map_err(|error| DriverError::Switch(error.to_string()))?;
            Ok(Fetched::Written)
        })
    }

    fn remove_recording<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), DriverError>> {
        Box::pin(async move {
            self.mood()?;
            self.asked.lock().unwrap().remove(name);
            Ok(())
        })
    }
}

/// A clock on which a minute takes a second, or no time at all.
pub struct JumpingClock {
    runs: ScaledClock,
    ahead_seconds: AtomicU64,
}

impl JumpingClock {
    pub fn sixty_times_as_fast() -> Self {
        let runs = ScaledClock::starting_at(SystemClock.now(), 60.0).unwrap();
        Self { runs, ahead_seconds: AtomicU64::new(0) }
    }

    /// Lets so much time pass at once.
    pub fn jump(&self, span: Duration) {
        self.ahead_seconds.fetch_add(span.as_secs(), Ordering::SeqCst);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead_seconds.load(Ordering::SeqCst))
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Time {
        self.runs.now() + self.ahead()
    }

    fn sleep_until(&self, at: Time) -> BoxFuture<'static, ()> {
        self.runs.sleep_until(at - self.ahead())
    }
}
