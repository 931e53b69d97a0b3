//! An agent's session: JSON messages over a WebSocket.

use std::ops::ControlFlow;
use std::time::Duration;

use app::callbacks::NOTES_LENGTH_MAX;
use app::floor::{AgentSession, SessionEnd};
use app::{AppError, NUL_REFUSED, Principal};
use axum::Json;
use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use engine::time::rfc3339_option;
use engine::{
    AgentEvent, AgentId, AgentNotice, CallControl, ConsultationState, PhoneNumber, SkillId, ThirdParty, Time,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;

use crate::auth::Caller;
use crate::endpoint::{Api, get, post};
use crate::extract::Body;
use crate::{Context, Problem};

const TAG: &str = "Agents and skills";
/// How often a screen is asked whether it is there. A network that is gone says nothing by itself.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Pings in a row to which nothing was heard, after which the screen counts as gone and gets no more calls.
const UNANSWERED_PINGS_MAX: u32 = 3;

/// Longest reason for a break or for rejecting a preview, in characters.
const REASON_LENGTH_MAX: usize = 200;
/// Bytes of a message at most.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are read of a message: one that was read whole is answered in good order, however long it is.
const READ_BYTES_MAX: usize = 1024 * 1024;
/// How long the other side may take to close in its turn, or to take notice while it is still sending.
const CLOSING: Duration = Duration::from_secs(5);

pub(super) fn routes(mut api: Api) -> Api {
    let ticket = post(
        "/v1/agent-session/tickets",
        "create_agent_session_ticket",
        TAG,
        "A ticket for a browser's socket",
    );
    let ticket = ticket.takes::<TicketRequest>(&mut api).gives::<TicketMade>(&mut api);
    let session = get("/v1/agent-session", "open_agent_session", TAG, "An agent's session (WebSocket)");
    let session =
        session.query("agent", "Which agent; a user's own if not given").query("ticket", "Instead of a key");
    api.route(ticket, make_ticket).route(session.with_status(101), open)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TicketRequest {
    /// Which agent; a user's own if not given.
    #[serde(default)]
    agent: Option<AgentId>,
}

#[derive(Serialize, JsonSchema)]
struct TicketMade {
    /// To be given as `?ticket=`; good once, for half a minute.
    ticket: String,
}

async fn make_ticket(
    State(context): State<Context>,
    Caller(who): Caller,
    Body(request): Body<TicketRequest>,
) -> Result<(StatusCode, Json<TicketMade>), Problem> {
    let agent = chosen(&who, request.agent)?;
    who.may_be(agent)?;
    let ticket = context.tickets.make(who, agent)?;
    Ok((StatusCode::CREATED, Json(TicketMade { ticket })))
}

fn chosen(who: &Principal, agent: Option<AgentId>) -> Result<AgentId, AppError> {
    agent.or(who.agent).ok_or_else(|| AppError::invalid("missing", "agent", "name the agent: ?agent=ID"))
}

/// Who opens a session, and as which agent: by ticket, key or session.
struct Opener(Principal, AgentId);

#[derive(Deserialize)]
struct Open {
    agent: Option<AgentId>,
    ticket: Option<String>,
}

impl FromRequestParts<Context> for Opener {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Problem> {
        let crate::extract::Ask(open) =
            crate::extract::Ask::<Open>::from_request_parts(parts, context).await?;
        if let Some(ticket) = open.ticket {
            let taken = context.tickets.take(&ticket);
            let (who, agent) =
                taken.ok_or(AppError::Unauthenticated("the ticket is used up or too old: make another"))?;
            return Ok(Self(who, agent));
        }
        let Caller(who) = Caller::from_request_parts(parts, context).await?;
        let agent = chosen(&who, open.agent)?;
        Ok(Self(who, agent))
    }
}

async fn open(
    State(context): State<Context>,
    Opener(who, agent): Opener,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let session = context.app.agent_session(&who, agent).await?;
    Ok(upgrade.max_message_size(READ_BYTES_MAX).on_upgrade(move |socket| converse(socket, session)))
}

/// Carries messages both ways until either side leaves or is not heard of any more.
async fn converse(mut socket: WebSocket, mut session: AgentSession) {
    let mut pings = tokio::time::interval(PING_EVERY);
    let mut unanswered = 0;
    loop {
        let said = tokio::select! {
            said = socket.recv() => said,
            _ = pings.tick() => {
                if unanswered >= UNANSWERED_PINGS_MAX || socket.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                unanswered += 1;
                continue;
            }
            notice = session.recv() => {
                if tell(&mut socket, notice).await.is_break() {
                    return;
                }
                continue;
            }
        };
        // Whatever is heard says that the other side is there.
        unanswered = 0;
        let answer = match said {
            Some(said) if is_too_long(&said) => {
                drop(session);
                return close(socket, said.is_ok()).await;
            }
            Some(Ok(Message::Text(text))) => match serde_json::from_str::<Said>(&text) {
                Ok(said) => match AgentEvent::try_from(said) {
                    Ok(event) => session.send(event).await.err().map(|error| refused(&error.to_string())),
                    Err(why) => Some(refused(why)),
                },
                Err(error) => Some(refused(&format!("this message is not understood: {error}"))),
            },
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => None,
        };
        if let Some(answer) = answer
            && socket.send(Message::text(answer.to_string())).await.is_err()
        {
            return;
        }
    }
}

/// Whether a message has more bytes than it may, read whole or not.
fn is_too_long(said: &Result<Message, axum::Error>) -> bool {
    match said {
        Ok(Message::Text(text)) => text.len() > MESSAGE_BYTES_MAX,
        Ok(Message::Binary(bytes)) => bytes.len() > MESSAGE_BYTES_MAX,
        Ok(_) => false,
        Err(error) => {
            let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
            matches!(cause, Some(tungstenite::Error::Capacity(_)))
        }
    }
}

/// Ends a session whose screen said too much at once, and says why.
async fn close(mut socket: WebSocket, was_read: bool) {
    let frame = CloseFrame { code: close_code::SIZE, reason: "a message has at most 65536 bytes".into() };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    let gone = async {
        while let Some(Ok(_)) = socket.recv().await {}
        // Nothing more is read of a message that is far too long, and to end the connection meanwhile would reset it,
        // with the frame still on its way.
        if !was_read {
            std::future::pending::<()>().await;
        }
    };
    // Whether or not they close in their turn, the connection ends.
    let _ = tokio::time::timeout(CLOSING, gone).await;
}

/// Tells an agent's screen something; breaks if the session is over.
async fn tell(socket: &mut WebSocket, notice: Result<AgentNotice, SessionEnd>) -> ControlFlow<()> {
    let notice = match notice {
        Ok(notice) => notice,
        Err(end) => {
            let (kind, why) = match end {
                SessionEnd::TakenOver => ("taken_over", "another session of this agent was opened"),
                SessionEnd::FellBehind => {
                    ("fell_behind", "this screen did not take what it was told: connect again and log_in")
                }
                SessionEnd::Stopped => ("stopped", "the dialler has stopped: connect again and log_in"),
            };
            // The other side may be gone, which is no matter now.
            let _ = socket.send(Message::text(json!({"type": kind, "why": why}).to_string())).await;
            return ControlFlow::Break(());
        }
    };
    match socket.send(Message::text(told(notice).to_string())).await {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

fn refused(why: &str) -> Value {
    json!({"type": "refused", "why": why})
}

/// What an agent's screen says.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Said {
    LogIn,
    LogOut,
    Ready,
    NotReady {
        #[serde(default)]
        reason: Option<String>,
    },
    AcceptPreview,
    RejectPreview {
        #[serde(default)]
        reason: Option<String>,
    },
    HangUp,
    Hold,
    Resume,
    Mute,
    Unmute,
    Keys {
        keys: String,
    },
    /// Rings a third party, who is named by a number, is another agent, or is whoever of a skill is ready.
    Consult {
        #[serde(default)]
        number: Option<PhoneNumber>,
        #[serde(default)]
        agent: Option<AgentId>,
        #[serde(default)]
        skill: Option<SkillId>,
    },
    /// Records the call from now on, where the campaign leaves that to agents.
    Record,
    /// Has that pause.
    StopRecording,
    Join,
    EndConsult,
    /// To the third party that was consulted, or to one that is named.
    Transfer {
        #[serde(default)]
        number: Option<PhoneNumber>,
        #[serde(default)]
        agent: Option<AgentId>,
        #[serde(default)]
        skill: Option<SkillId>,
    },
    Dispose {
        #[serde(default)]
        disposition: Option<String>,
        #[serde(default)]
        notes: Option<String>,
        #[serde(default, with = "rfc3339_option")]
        callback_at: Option<Time>,
        #[serde(default)]
        callback_is_mine: bool,
    },
    /// Ends the wrap-up without a disposition; asks for a contact to preview.
    Next,
}

/// Who is named; a number goes before an agent, and that before a skill.
fn third_party(
    number: Option<PhoneNumber>,
    agent: Option<AgentId>,
    skill: Option<SkillId>,
) -> Option<ThirdParty> {
    number.map(ThirdParty::Number).or(agent.map(ThirdParty::Agent)).or(skill.map(ThirdParty::Skill))
}

/// Refuses texts that are too long, and those that PostgreSQL cannot hold: one of them would undo everything that is
/// stored together with it.
fn check_texts(said: &Said) -> Result<(), &'static str> {
    let (texts, length_max, too_long) = match said {
        Said::RejectPreview { reason } | Said::NotReady { reason } => {
            ([reason.as_deref(), None], REASON_LENGTH_MAX, "a reason has at most 200 characters")
        }
        Said::Dispose { disposition, notes, .. } => (
            [disposition.as_deref(), notes.as_deref()],
            NOTES_LENGTH_MAX,
            "a disposition and notes have at most 4000 characters each",
        ),
        _ => return Ok(()),
    };
    for text in texts.into_iter().flatten() {
        if text.contains('\0') {
            return Err(NUL_REFUSED);
        }
        if text.chars().count() > length_max {
            return Err(too_long);
        }
    }
    Ok(())
}

impl TryFrom<Said> for AgentEvent {
    type Error = &'static str;

    fn try_from(said: Said) -> Result<Self, Self::Error> {
        use CallControl as Call;
        check_texts(&said)?;
        Ok(match said {
            Said::Hold => Self::Control(Call::Hold),
            Said::Resume => Self::Control(Call::Resume),
            Said::Mute => Self::Control(Call::Mute),
            Said::Unmute => Self::Control(Call::Unmute),
            Said::Keys { keys } => Self::Control(Call::Keys(keys)),
            Said::Record => Self::Control(Call::Record),
            Said::StopRecording => Self::Control(Call::StopRecording),
            Said::Join => Self::Control(Call::Join),
            Said::EndConsult => Self::Control(Call::EndConsult),
            Said::Consult { number, agent, skill } => {
                let whom = third_party(number, agent, skill)
                    .ok_or("say whom to consult: a number, an agent or a skill")?;
                Self::Control(Call::Consult(whom))
            }
            Said::Transfer { number, agent, skill } => {
                Self::Control(Call::Transfer(third_party(number, agent, skill)))
            }
            Said::LogIn => Self::LogIn,
            Said::LogOut => Self::LogOut,
            Said::Ready => Self::Ready,
            Said::NotReady { reason } => Self::NotReady { reason },
            Said::AcceptPreview => Self::AcceptPreview,
            Said::RejectPreview { reason } => Self::RejectPreview { reason },
            Said::HangUp => Self::HangUp,
            Said::Dispose { disposition, notes, callback_at, callback_is_mine } => {
                Self::Dispose { disposition, notes, callback_at, callback_is_mine }
            }
            Said::Next => Self::Next,
        })
    }
}

/// What an agent's screen is told.
fn told(notice: AgentNotice) -> Value {
    match notice {
        AgentNotice::State { state, reason } => json!({"type": "state", "state": state, "reason": reason}),
        AgentNotice::Preview { group, contact, number, until, callback } => json!({
            "type": "preview", "group": group, "contact": contact, "number": number,
            "until": until.to_rfc3339(), "callback": callback
        }),
        AgentNotice::Call { attempt, group, contact, number, attempt_number } => json!({
            "type": "call", "attempt": attempt, "group": group, "contact": contact, "number": number,
            "attempt_number": attempt_number
        }),
        AgentNotice::Recording { attempt, is_on } => {
            json!({"type": "recording", "attempt": attempt, "on": is_on})
        }
        AgentNotice::Connected { attempt } => json!({"type": "connected", "attempt": attempt}),
        AgentNotice::CallEnded { attempt, result, wrap_up_until } => json!({
            "type": "call_ended", "attempt": attempt, "result": result,
            "wrap_up_until": wrap_up_until.map(Time::to_rfc3339)
        }),
        AgentNotice::Consultation { attempt, agent, state } => {
            let (state, reason) = match state {
                ConsultationState::Ringing => ("ringing", None),
                ConsultationState::Answered => ("answered", None),
                ConsultationState::Ended(why) => ("ended", Some(why)),
            };
            json!({
                "type": "consultation", "attempt": attempt, "agent": agent, "state": state, "reason": reason
            })
        }
        AgentNotice::TransferEnded { attempt, outcome } => {
            json!({"type": "transfer_ended", "attempt": attempt, "outcome": outcome})
        }
        AgentNotice::Refused { code: Some(code), why } => {
            json!({"type": "refused", "code": code, "why": why})
        }
        AgentNotice::Refused { code: None, why } => refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: Value) -> Result<AgentEvent, &'static str> {
        serde_json::from_value::<Said>(said).unwrap().try_into()
    }

    #[test]
    fn a_text_with_a_nul_or_of_unreasonable_length_is_refused_with_the_reason() {
        for said in [
            json!({"type": "dispose", "notes": "a\0b"}),
            json!({"type": "dispose", "disposition": "\0"}),
            json!({"type": "not_ready", "reason": "\0"}),
            json!({"type": "reject_preview", "reason": "\0"}),
        ] {
            assert_eq!(read(said), Err("a text may not contain the character NUL"));
        }
        let notes = |length| json!({"type": "dispose", "notes": "ü".repeat(length)});
        assert!(read(notes(NOTES_LENGTH_MAX)).is_ok());
        assert!(read(notes(NOTES_LENGTH_MAX + 1)).is_err());
        let reason = |length| json!({"type": "not_ready", "reason": "ü".repeat(length)});
        assert!(read(reason(REASON_LENGTH_MAX)).is_ok());
        assert_eq!(read(reason(REASON_LENGTH_MAX + 1)), Err("a reason has at most 200 characters"));
    }
}
