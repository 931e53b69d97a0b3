//! Storage for files that speaks S3: objects are put, read and removed by their names.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use tokio::fs::File;

use crate::{OpenError, client};

/// How long the storage may take to be reached, and how long it may send nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a request is good for after it was signed. Clocks may differ, and it is sent at once.
const SIGNED_FOR: Duration = Duration::from_secs(900);

/// Where objects are.
#[derive(Clone)]
pub struct BucketSettings {
    /// The storage's address, such as `https://s3.eu-west-3.amazonaws.com`.
    pub endpoint: String,
    /// The bucket's name.
    pub bucket: String,
    /// Its region; storages without regions take any.
    pub region: String,
    /// Whether the bucket's name is part of the host's instead of the path.
    pub in_host: bool,
    /// Who asks.
    pub access_key: String,
    /// Their secret.
    pub secret_key: String,
}

/// Shows no secret.
impl std::fmt::Debug for BucketSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("BucketSettings");
        shown.field("endpoint", &self.endpoint).field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// Why the storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such object.
    #[error("the storage has no such object")]
    Absent,
    /// It cannot be reached, or broke off.
    #[error("the storage does not answer: {0}")]
    Unreachable(String),
    /// It sends whole objects only.
    #[error("the storage does not give parts of objects (Range)")]
    NoParts,
    /// It said no.
    #[error("the storage answers with HTTP status {0}")]
    Refused(u16),
}

/// A bucket of a storage that speaks S3.
pub struct Objects {
    client: Client,
    bucket: Bucket,
    credentials: Credentials,
}

impl Objects {
    /// Gets ready; nothing is sent yet.
    ///
    /// # Errors
    /// A setting is none that could work.
    pub fn open(settings: &BucketSettings) -> Result<Self, OpenError> {
        client::install_tls();
        let endpoint = client::address(&settings.endpoint)?;
        if settings.bucket.is_empty() {
            return Err(OpenError::Bucket);
        }
        let style = if settings.in_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
        let bucket = Bucket::new(endpoint, style, settings.bucket.clone(), settings.region.clone());
        let bucket = bucket.map_err(|_| OpenError::Address(settings.endpoint.clone()))?;
        let client = Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("outdial/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OpenError::Client(error.to_string()))?;
        let credentials = Credentials::new(settings.access_key.clone(), settings.secret_key.clone());
        Ok(Self { client, bucket, credentials })
    }

    /// Puts a file of so many bytes, in place of an object of this name.
    ///
    /// # Errors
    /// It is not there, or that is not known.
    pub async fn put(&self, name: &str, media_type: &str, file: File, bytes: u64) -> Result<(), ObjectError> {
        let url = self.bucket.put_object(Some(&self.credentials), name).sign(SIGNED_FOR);
        let request = self.client.put(url).header(CONTENT_LENGTH, bytes).header(CONTENT_TYPE, media_type);
        done(request.body(file).send().await).map(drop)
    }

    /// Reads an object, or some of its bytes, counted from 0.
    ///
    /// # Errors
    /// There is none, the storage does not answer, or it gives no parts.
    pub async fn get(
        &self,
        name: &str,
        part: Option<RangeInclusive<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        let url: Url = self.bucket.get_object(Some(&self.credentials), name).sign(SIGNED_FOR);
        let mut request = self.client.get(url);
        if let Some(part) = &part {
            request = request.header(RANGE, format!("bytes={}-{}", part.start(), part.end()));
        }
        let answer = done(request.send().await)?;
        if part.is_some() && answer.status() != StatusCode::PARTIAL_CONTENT {
            return Err(ObjectError::NoParts);
        }
        Ok(answer.bytes_stream().map(|piece| piece.map_err(unreachable)).boxed())
    }

    /// Removes an object; one that is not there is removed already.
    ///
    /// # Errors
    /// It may still be there.
    pub async fn remove(&self, name: &str) -> Result<(), ObjectError> {
        let url = self.bucket.delete_object(Some(&self.credentials), name).sign(SIGNED_FOR);
        match done(self.client.delete(url).send().await) {
            Ok(_) | Err(ObjectError::Absent) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn done(answer: Result<Response, reqwest::Error>) -> Result<Response, ObjectError> {
    let answer = answer.map_err(unreachable)?;
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(ObjectError::Absent),
        status => Err(ObjectError::Refused(status.as_u16())),
    }
}

/// The address is left out: its query is good for whoever has it.
fn unreachable(error: reqwest::Error) -> ObjectError {
    ObjectError::Unreachable(error.without_url().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::State;
    use axum::http::{HeaderMap, Method, StatusCode, Uri};
    use axum::response::{IntoResponse, Response};

    use super::*;

    type Kept = Arc<Mutex<HashMap<String, Bytes>>>;

    /// As much of S3 as is used: it wants requests signed by `key`, and uploads whose length is told before they come.
    async fn storage(kept: Kept) -> String {
        async fn answer(
            State(kept): State<Kept>,
            method: Method,
            uri: Uri,
            headers: HeaderMap,
            body: Bytes,
        ) -> Response {
            let query = uri.query().unwrap_or_default();
            if !query.contains("X-Amz-Credential=key%2F") || !query.contains("X-Amz-Signature=") {
                return StatusCode::FORBIDDEN.into_response();
            }
            let mut kept = kept.lock().unwrap();
            match method {
                Method::PUT => {
                    let says =
                        headers.get("content-length").map(|length| length.to_str().unwrap().to_owned());
                    if says != Some(body.len().to_string()) {
                        return StatusCode::LENGTH_REQUIRED.into_response();
                    }
                    kept.insert(uri.path().to_owned(), body);
                    StatusCode::OK.into_response()
                }
                Method::DELETE => {
                    kept.remove(uri.path());
                    StatusCode::NO_CONTENT.into_response()
                }
                _ => match kept.get(uri.path()) {
                    Some(body) => match headers.get("range").map(|range| range.to_str().unwrap()) {
                        Some("bytes=10-19") => {
                            (StatusCode::PARTIAL_CONTENT, body.slice(10..20)).into_response()
                        }
                        _ => body.clone().into_response(),
                    },
                    None => StatusCode::NOT_FOUND.into_response(),
                },
            }
        }
        let limit = axum::extract::DefaultBodyLimit::disable();
        let router = Router::new().fallback(answer).layer(limit).with_state(kept);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn settings(endpoint: String, access_key: &str) -> BucketSettings {
        BucketSettings {
            endpoint,
            bucket: "calls".to_owned(),
            region: "us-east-1".to_owned(),
            in_host: false,
            access_key: access_key.to_owned(),
            secret_key: "hidden".to_owned(),
        }
    }

    async fn file(bytes: &[u8]) -> File {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        tokio::fs::write(&path, bytes).await.unwrap();
        File::open(&path).await.unwrap()
    }

    #[tokio::test]
    async fn an_object_is_put_with_its_length_read_back_and_removed() {
        let kept = Kept::default();
        let objects = Objects::open(&settings(storage(Arc::clone(&kept)).await, "key")).unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|byte| byte as u8).collect();
        objects.put("a/b.wav", "audio/wav", file(&bytes).await, bytes.len() as u64).await.unwrap();
        assert_eq!(kept.lock().unwrap().keys().collect::<Vec<_>>(), ["/calls/a/b.wav"]);
        let mut read = Vec::new();
        let mut pieces = objects.get("a/b.wav", None).await.unwrap();
        while let Some(piece) = pieces.next().await {
            read.extend_from_slice(&piece.unwrap());
        }
        assert!(read == bytes);
        let part = objects.get("a/b.wav", Some(10..=19)).await.unwrap();
        let part: Vec<Bytes> = part.map(Result::unwrap).collect().await;
        assert_eq!(part.concat(), &bytes[10..20]);
        let whole = objects.get("a/b.wav", Some(0..=1)).await.err();
        assert!(matches!(whole, Some(ObjectError::NoParts)), "it is not taken for the part");
        for _ in 0..2 {
            objects.remove("a/b.wav").await.unwrap();
        }
        assert!(matches!(objects.get("a/b.wav", None).await, Err(ObjectError::Absent)));
    }

    #[tokio::test]
    async fn a_refusal_and_a_storage_that_is_not_there_are_told_without_the_signed_address() {
        let objects = Objects::open(&settings(storage(Kept::default()).await, "other")).unwrap();
        let refused = objects.put("a.wav", "audio/wav", file(b"x").await, 1).await;
        assert!(matches!(refused, Err(ObjectError::Refused(403))), "{refused:?}");
        let away = Objects::open(&settings("http://127.0.0.1:1".to_owned(), "key")).unwrap();
        let error = away.remove("a.wav").await.unwrap_err();
        assert!(!format!("{error:?}").contains("Signature"), "{error:?}");
        assert!(!format!("{:?}", settings(String::new(), "key")).contains("hidden"));
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for endpoint in ["calls.example.com", "ftp://a", "https://"] {
            assert!(Objects::open(&settings(endpoint.to_owned(), "key")).is_err(), "{endpoint}");
        }
        let nameless = BucketSettings { bucket: String::new(), ..settings("http://a".to_owned(), "key") };
        assert!(matches!(Objects::open(&nameless), Err(OpenError::Bucket)));
    }
}
