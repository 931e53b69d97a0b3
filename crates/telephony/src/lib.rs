//! The way to the telephone network: what a switch is asked ([`Request`]), what it tells ([`Event`]), and the drivers
//! that do it. Nothing here decides; the engine does.
//!
//! # The contract of a driver
//!
//! - The attempt's id is the channel's id on the switch. Placing the same attempt twice never rings twice, so after a
//!   crash a runner may place again, and [`Driver::live_calls`] says what is still up.
//! - [`Driver::send`] never waits for the network. It queues, and a full queue is an error the runner can act on.
//! - Requests are done in the order in which they were sent. A request for a call that is not there (any more) is
//!   ignored, because its `Ended` is on the way or has been delivered.
//! - Each call tells, in this order: `Placed`, `Ringing`?, `Answered`?, `Detected`?, then any of `Connected`,
//!   `AgentFailed`, `PlayFinished` and `Digit`, and at the end exactly one `Ended`, after which nothing more comes. A call that
//!   found no line, or that the switch refused, tells `Ended` alone. `Answered` is the instant at which the line was
//!   picked up, and `Detected` the instant at which it is known by whom, so rules that count from either can be kept.
//! - No event is dropped: the queue of events is bounded and the driver waits for room. If the receiver is closed the
//!   driver stops.
//! - After `DriverLost` events are missing until `DriverBack`; then the runner compares with `live_calls`.
//!
//! # How a driver for Asterisk (ARI) fits
//!
//! | here | there |
//! |---|---|
//! | `Place` | `POST /channels` with `channelId` = attempt, `timeout` = ring timeout, `variables`; 409 means that it exists already |
//! | `Cancel`, `HangUp` | `DELETE /channels/{attempt}`; for `Cancel` only while the channel is not `Up` |
//! | `Connect` | the agent's leg by `POST /channels` (or the leg that is up already), both into one mixing bridge |
//! | `Play` | `POST /channels/{attempt}/play` with the sound's file, or with what speaks the text |
//! | `Placed`, `Ringing`, `Answered` | `ChannelCreated`, `ChannelStateChange` to `Ringing`, to `Up` |
//! | `Detected` | `StasisStart` after `AMD()` in the dial plan, from `AMDSTATUS` |
//! | `Connected` | `ChannelEnteredBridge` of the second leg |
//! | `PlayFinished` | `PlaybackFinished` |
//! | `Digit` | `ChannelDtmfReceived` |
//! | `Ended` | `ChannelDestroyed`; its `cause` (Q.850) is the [`EndCause`]: 17 busy, 18 and 19 no answer, 21 rejected, 1 and 28 invalid number, 34 and 42 congestion |
//! | `Record` | a channel that hears the call (`POST /channels/{attempt}/snoop`), recorded (`POST /channels/…/record`) |
//! | `RecordingFinished`, `fetch_recording` | `RecordingFinished`, `GET /recordings/stored/{name}/file` |
//! | `live_calls` | `GET /channels` |
//! | `DriverLost`, `DriverBack` | the events' WebSocket closed, open again |
//!
//! Such a driver is a task with a queue of requests, as [`SimulatedCarrier`] is; nothing in this interface changes.

pub mod asterisk;
pub mod clock;
pub mod driver;
pub mod event;
pub mod result;
pub mod simulated;

pub use asterisk::{AsteriskDriver, AsteriskSettings, HostSettings, RequestPath, TrunkSettings};
pub use clock::{Clock, ScaledClock, SpeedOutOfRange, SystemClock};
pub use driver::{
    AgentPhone, BadSoundFile, BoxFuture, CallStage, Control, Detection, Driver, DriverError, Fetched,
    LiveCall, Message, PlaceCall, Purpose, Request, SendError, Sound, SoundFile, Supervision, Variables,
};
pub use event::{AgentFailure, CallEvent, Detected, EndCause, Event, EventKind, Failure};
pub use result::call_result;
pub use simulated::{CarrierSettings, CarrierStatistics, SimulatedCarrier};
