//! ARI's words: what Asterisk tells and what it is asked. After the model of Asterisk 22 (`rest-api/api-docs`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What comes over the events' WebSocket. Kinds that mean nothing to a dialler are `Other`.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Incoming {
    ChannelStateChange {
        channel: Channel,
    },
    ChannelDestroyed {
        channel: Channel,
        #[serde(default)]
        cause: i64,
        /// The status code of SIP, if that ended it.
        tech_cause: Option<i64>,
    },
    ChannelDtmfReceived {
        channel: Channel,
        digit: String,
    },
    ChannelEnteredBridge {
        channel: Channel,
        bridge: BridgeId,
    },
    Dial {
        peer: Channel,
        #[serde(default)]
        dialstatus: String,
    },
    StasisStart {
        channel: Channel,
        #[serde(default)]
        args: Vec<String>,
    },
    PlaybackStarted {
        playback: Playback,
    },
    PlaybackFinished {
        playback: Playback,
    },
    RecordingFinished {
        recording: LiveRecording,
    },
    RecordingFailed {
        recording: LiveRecording,
    },
    #[serde(rename = "RESTResponse")]
    Response(Response),
    #[serde(other)]
    Other,
}

/// The answer to a request.
#[derive(Debug, Deserialize)]
pub(super) struct Response {
    #[serde(default)]
    pub request_id: String,
    pub status_code: u16,
    pub message_body: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Channel {
    pub id: String,
    /// `Snoop/`, the id of the channel that it hears, `-` and a number, if it is one that hears another.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub dialplan: Dialplan,
    #[serde(default)]
    pub channelvars: HashMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Dialplan {
    #[serde(default)]
    pub app_name: String,
}

/// What is needed of a bridge that somebody has entered.
#[derive(Debug, Deserialize)]
pub(super) struct BridgeId {
    pub id: String,
}

/// A bridge as it is listed.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bridge {
    pub id: String,
    /// Says whose it is, also when nobody is in it.
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub channels: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Playback {
    pub id: String,
    /// `failed` if nothing could be played.
    #[serde(default)]
    pub state: String,
    /// What it was played to: `channel:ID` or `bridge:ID`.
    #[serde(default)]
    pub target_uri: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct LiveRecording {
    /// What was recorded, such as `channel:` and a channel's id.
    #[serde(default)]
    pub target_uri: String,
}

/// Something that Asterisk is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ask {
    pub method: &'static str,
    /// Below `/ari/`, with its query.
    pub uri: String,
    pub body: Option<Value>,
}

impl Ask {
    pub fn get(uri: impl Into<String>) -> Self {
        Self { method: "GET", uri: uri.into(), body: None }
    }

    pub fn post(uri: impl Into<String>) -> Self {
        Self { method: "POST", uri: uri.into(), body: None }
    }

    pub fn delete(uri: impl Into<String>) -> Self {
        Self { method: "DELETE", uri: uri.into(), body: None }
    }

    pub fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// As it goes over the events' WebSocket.
    pub fn over_web_socket(&self, id: u64) -> String {
        #[derive(Serialize)]
        struct Request<'a> {
            r#type: &'static str,
            transaction_id: &'a str,
            request_id: &'a str,
            method: &'a str,
            uri: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            content_type: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message_body: Option<String>,
        }
        let id = id.to_string();
        let request = Request {
            r#type: "RESTRequest",
            transaction_id: &id,
            request_id: &id,
            method: self.method,
            uri: &self.uri,
            content_type: self.body.is_some().then_some("application/json"),
            message_body: self.body.as_ref().map(Value::to_string),
        };
        // Texts and numbers: there is nothing in it that JSON could not hold.
        serde_json::to_string(&request).unwrap_or_default()
    }
}

/// A value as part of a query.
pub(super) fn quoted(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_form_that_asterisk_22_took() {
        let ask = Ask::post("channels/1").with(serde_json::json!({"endpoint": "PJSIP/1002"}));
        assert_eq!(
            ask.over_web_socket(7),
            r#"{"type":"RESTRequest","transaction_id":"7","request_id":"7","method":"POST","uri":"channels/1","content_type":"application/json","message_body":"{\"endpoint\":\"PJSIP/1002\"}"}"#
        );
    }

    #[test]
    fn events_of_kinds_that_are_not_known_are_read_all_the_same() {
        let text = r#"{"type":"DeviceStateChanged","device_state":{"name":"PJSIP/carrier","state":"INUSE"}}"#;
        assert!(matches!(serde_json::from_str(text), Ok(Incoming::Other)));
    }

    #[test]
    fn a_hang_up_is_read_with_both_of_its_causes() {
        let text = r#"{"type":"ChannelDestroyed","timestamp":"2026-11-21T07:56:34.367+0000","cause":19,
            "cause_txt":"User alerting, no answer","tech_cause":480,"channel":{"id":"a","name":"PJSIP/1002-00000003",
            "state":"Down","caller":{"name":"","number":""},"dialplan":{"context":"from-agents","exten":"s",
            "priority":1,"app_name":"AppDial2","app_data":"(Outgoing Line)"},"channelvars":{"OUTDIAL_NODE":"n1"}}}"#;
        let Ok(Incoming::ChannelDestroyed { channel, cause, tech_cause }) = serde_json::from_str(text) else {
            panic!("not read")
        };
        assert_eq!((channel.id.as_str(), cause, tech_cause), ("a", 19, Some(480)));
        assert_eq!(channel.channelvars["OUTDIAL_NODE"], "n1");
    }
}
