//! What parent and child say to each other: frames of a length (`u32`, little-endian) and JSON.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Limits, ScriptError};

/// Bytes of a frame at most: more than a script's memory can make.
const FRAME_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// What the child is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToChild {
    /// Run a function of a script.
    Start {
        /// Which run.
        call: u64,
        /// What the script is called in errors and stacks.
        name: String,
        /// The script.
        source: String,
        /// Which of its exports; none only looks at what it exports.
        function: Option<String>,
        /// What it is given.
        arguments: Vec<Value>,
        /// How far it may go.
        limits: Limits,
    },
    /// What something that a run asked for came to.
    Answer {
        /// Which run.
        call: u64,
        /// Which of its questions.
        question: u64,
        /// The value, or why there is none.
        outcome: Result<Value, String>,
    },
    /// Nobody waits for a run any more.
    Cancel {
        /// Which run.
        call: u64,
    },
}

/// What the child tells.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromChild {
    /// A run asks for something.
    Ask {
        /// Which run.
        call: u64,
        /// Which of its questions.
        question: u64,
        /// What it asks for.
        function: String,
        /// With what.
        arguments: Value,
    },
    /// A run is over.
    Over {
        /// Which run.
        call: u64,
        /// What the function returned, or what went wrong.
        outcome: Result<Value, ScriptError>,
        /// What it logged.
        logs: Vec<String>,
    },
}

/// A frame's bytes.
///
/// # Errors
/// It is larger than a frame may be.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a message is larger than is allowed"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Writes a frame.
pub(crate) fn write<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    out.write_all(&encode(message)?)?;
    out.flush()
}

/// Reads a frame; none at the end.
pub(crate) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = vec![0; checked(length)?];
    from.read_exact(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// Reads a frame; none at the end.
pub(crate) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = vec![0; checked(length)?];
    from.read_exact(&mut bytes).await?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

fn checked(length: [u8; 4]) -> io::Result<usize> {
    match u32::from_le_bytes(length) {
        length if length <= FRAME_BYTES_MAX => Ok(length as usize),
        _ => Err(io::Error::other("a message is larger than is allowed")),
    }
}
