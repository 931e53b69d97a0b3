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
//!   `AgentFailed`, `PlayStarted`, `PlayFinished`, `PlayFailed`, `Digit`, `ThirdAnswered` and `ThirdGone`, then perhaps `AgentLeft` and after it `Transferred` or `TransferFailed`, and at the end exactly one `Ended`, after which nothing more comes. A call that
//!   found no line, or that the switch refused, tells `Ended` alone. `Answered` is the instant at which the line was
//!   picked up, and `Detected` the instant at which it is known by whom, so rules that count from either can be kept.
//! - No event is dropped: the queue of events is bounded and the driver waits for room. If the receiver is closed the
//!   driver stops.
//! - `Drained` and `Used` say whether any switch is given calls at all; those that are up go on either way.
//! - After `DriverLost` events are missing until `DriverBack`; then the runner compares with `live_calls`.
//!
//! # How Asterisk keeps it (ARI)
//!
//! | here | there |
//! |---|---|
//! | `Place` | `POST /channels/{attempt}` into the dial plan, with `timeout` = ring timeout and `variables`; 409 means that it exists already |
//! | `Cancel`, `HangUp` | `DELETE /channels/{attempt}`; for `Cancel` only while nobody has answered |
//! | `OpenLine`, `CloseLine` | `POST /channels/line.…` with a mixing bridge of the same id; `DELETE` |
//! | `Connect` | `POST /bridges/line.…/addChannel`, after the agent's line was rung if it did not stand |
//! | `Play` | `POST /channels/{attempt}/play` with the sound's file; on a machine after the dial plan has waited for the end of the greeting |
//! | `Placed` | the answer to the request |
//! | `Ringing`, `Answered` | `ChannelStateChange` or `Dial`; `ChannelStateChange` to `Up` or `StasisStart` |
//! | `Detected` | `StasisStart` after `AMD()` in the dial plan, from `AMDSTATUS` |
//! | `Connected` | `ChannelEnteredBridge` of the call, into the bridge of its agent's line |
//! | `PlayStarted`, `PlayFinished`, `PlayFailed` | `PlaybackStarted`, `PlaybackFinished` by its state |
//! | `Digit` | `ChannelDtmfReceived` |
//! | `ThirdAnswered`, `Transferred` | `StasisStart` of the third party's channel, which is then brought to the bridge |
//! | `ThirdGone`, `TransferFailed` | `ChannelDestroyed` of it |
//! | `Supervision` | `StasisStart` and `ChannelDestroyed` of the supervisor's channel and of the one that hears the line (`POST /channels/line.…/snoop`) |
//! | `Ended` | `ChannelDestroyed`; its `tech_cause` (SIP) and `cause` (Q.850) are the [`EndCause`] |
//! | `Record` | a channel that hears the call (`POST /channels/{attempt}/snoop`), recorded (`POST /channels/…/record`) |
//! | `RecordingFinished`, `fetch_recording` | `RecordingFinished`, `GET /recordings/stored/{name}/file` |
//! | `live_calls` | `GET /channels`, compared after each new connection |
//! | `DriverLost`, `DriverBack` | the events' WebSocket closed; open again and compared |
//!
//! `docs/decisions/0034-…` says why, `0035-…` how a driver for FreeSWITCH would fit; nothing in this interface would change.

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
    LiveCall, Message, PlaceCall, Purpose, Request, SendError, Sound, SoundFile, Supervision, SwitchState,
    Variables,
};
pub use event::{AgentFailure, CallEvent, Detected, EndCause, Event, EventKind, Failure, SupervisionState};
pub use result::call_result;
pub use simulated::{CarrierSettings, CarrierStatistics, SimulatedCarrier};
