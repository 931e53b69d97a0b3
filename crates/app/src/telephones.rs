//! What is done with switches and telephones beside dialling: a supervisor listens, a switch is serviced.

use engine::{AgentId, AgentState, AttemptId, PhoneNumber, SupervisionId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::records::supervisions::{self as rows, Supervision};
use telephony::Request;
pub use telephony::{Supervision as Part, SwitchState};

use crate::access::{Permission, Principal};
use crate::audit::{self, Action};
use crate::floor::supervisions;
use crate::model::{AgentBody, AgentTelephone, Definition};
use crate::{App, AppError};

/// A supervisor's wish to take part in the call that an agent is on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSupervision {
    /// How.
    pub part: Part,
    /// The supervisor's telephone number, in E.164, which is rung; they leave by hanging up.
    #[serde(default)]
    pub number: Option<PhoneNumber>,
    /// Or an endpoint in the switch's own notation, such as `PJSIP/2001`.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// That a supervisor's telephone is being rung.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SupervisionBegun")]
pub struct SupervisionView {
    /// Which; names it in the events that say what became of it.
    pub id: SupervisionId,
    /// The call.
    pub attempt: AttemptId,
    /// How they take part.
    pub part: Part,
}

impl App {
    /// Rings a supervisor and lets them take part in the call that an agent is on, until it ends or they hang up.
    ///
    /// # Errors
    /// The caller may not, the telephone cannot be, or the agent is not on a call on this node.
    pub async fn supervise(
        &self,
        who: &Principal,
        agent: AgentId,
        wish: NewSupervision,
    ) -> Result<SupervisionView, AppError> {
        who.may(Permission::Supervise)?;
        self.get::<AgentBody>(who, agent.0).await?;
        let rung = serde_json::json!({ "number": wish.number, "endpoint": wish.endpoint });
        let telephone = AgentTelephone { number: wish.number, endpoint: wish.endpoint, standing: false };
        let phone = telephone.checked("")?;
        let live = self.floor.live(who.tenant).await?;
        let on_call = live
            .agents
            .iter()
            .find(|one| one.now.agent == agent && one.now.state == AgentState::OnCall)
            .and_then(|one| one.now.attempt);
        let attempt = on_call.ok_or_else(|| {
            AppError::conflict(
                "not_on_a_call",
                "the agent is not on a call: GET /v1/live tells who is (state on_call)",
            )
        })?;
        let now = self.clock.now();
        let (audit_id, id) = (self.ids.next(now), SupervisionId(self.ids.next(now)));
        let (by, part, node) = (who.clone(), wish.part, self.floor.node());
        // Noted first: nobody listens unseen.
        self.write(move |tx| {
            let asked_for = Supervision {
                id,
                tenant: by.tenant,
                agent,
                attempt,
                supervisor: by.actor.clone(),
                part: part.name().to_owned(),
                is_started: false,
            };
            rows::add(tx, node, &asked_for)?;
            let after = Some(serde_json::json!({ "supervise": part, "attempt": attempt, "telephone": rung }));
            audit::note(tx, &by, audit_id, now, Action::Act, AgentBody::KIND, Some(agent.0), None, after)
        })
        .await?;
        if let Err(error) =
            self.floor.ask_switch(Request::Supervise { supervision: id, attempt, phone, part })
        {
            self.write(move |tx| Ok(supervisions::note(tx, id, supervisions::NOT_ASKED, now)?)).await?;
            return Err(error);
        }
        Ok(SupervisionView { id, attempt, part })
    }

    /// The switches that this node places calls on.
    pub fn switches(&self) -> Vec<SwitchState> {
        self.floor.switches()
    }

    /// Places no more calls on a switch, so that it can be serviced once those that are up have ended; or takes it into
    /// use again.
    ///
    /// # Errors
    /// There is no such switch.
    pub fn drain_switch(&self, name: &str, drained: bool) -> Result<(), AppError> {
        if self.floor.drain_switch(name, drained) { Ok(()) } else { Err(AppError::not_found("switch", name)) }
    }
}
