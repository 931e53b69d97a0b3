//! Files of recordings, fetched from and removed on the Asterisk hosts over HTTP, whichever of them has them.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::protocol::quoted;
use super::settings::HostSettings;
use super::tls::{self, TlsError};
use crate::driver::{DriverError, Fetched};

/// How long a host may take to be reached, and how long it may send nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files on one host.
pub(super) struct Stored {
    client: Client,
    host: HostSettings,
}

/// Fetches a file from whichever host has it.
pub(super) async fn fetch(
    all: &[Stored],
    name: &str,
    into: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Fetched, DriverError> {
    let mut failure = None;
    for stored in all {
        match stored.fetch(name, into).await {
            Ok(Fetched::Absent) => {}
            Ok(found) => return Ok(found),
            Err(error) => failure = Some(error),
        }
    }
    // A host that cannot be asked may be the one that has it.
    failure.map_or(Ok(Fetched::Absent), Err)
}

/// Removes a file wherever it is.
pub(super) async fn remove(all: &[Stored], name: &str) -> Result<(), DriverError> {
    for stored in all {
        found(&stored.ask(Method::DELETE, &format!("stored/{}", quoted(name))).await?)?;
    }
    Ok(())
}

impl Stored {
    /// # Errors
    /// TLS or HTTP cannot be spoken here.
    pub fn on(host: &HostSettings) -> Result<Self, TlsError> {
        let build = |builder: ClientBuilder| builder.connect_timeout(PATIENCE).read_timeout(PATIENCE);
        Ok(Self { client: tls::client(host, build)?, host: host.clone() })
    }

    async fn fetch(
        &self,
        name: &str,
        into: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Fetched, DriverError> {
        let name = quoted(name);
        if found(&self.ask(Method::GET, &format!("live/{name}")).await?)? {
            return Ok(Fetched::Unfinished);
        }
        let answer = self.ask(Method::GET, &format!("stored/{name}/file")).await?;
        if !found(&answer)? {
            return Ok(Fetched::Absent);
        }
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| broken(error.without_url()))?;
            into.write_all(&piece).await.map_err(|error| broken(error.kind()))?;
        }
        into.flush().await.map_err(|error| broken(error.kind()))?;
        Ok(Fetched::Written)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Response, DriverError> {
        let host = &self.host;
        let url = host.url.join(&format!("/ari/recordings/{path}"));
        let url = url.map_err(|error| DriverError::Switch(error.to_string()))?;
        let request = self.client.request(method, url).basic_auth(&host.user, Some(&host.password));
        request.send().await.map_err(|_| DriverError::NotConnected)
    }
}

fn broken(error: impl std::fmt::Display) -> DriverError {
    DriverError::Switch(format!("the file of a recording broke off: {error}"))
}

/// Whether what was asked for is there.
fn found(answer: &Response) -> Result<bool, DriverError> {
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(false),
        status if status.is_success() => Ok(true),
        status => Err(DriverError::Switch(format!("HTTP status {}", status.as_u16()))),
    }
}
