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
    use axum::Router;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto::Builder;
    use s3s::auth::SimpleAuth;
    use s3s::service::S3ServiceBuilder;
    use s3s_fs::FileSystem;
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    /// A storage that checks signatures and keeps objects as files of this directory, buckets being directories in it.
    async fn storage(directory: &TempDir) -> String {
        std::fs::create_dir(directory.path().join("calls")).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("key", "hidden"));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
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

    async fn all(mut pieces: BoxStream<'static, Result<Bytes, ObjectError>>) -> Vec<u8> {
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().await {
            read.extend_from_slice(&piece.unwrap());
        }
        read
    }

    #[tokio::test]
    async fn an_object_is_put_read_back_in_whole_and_in_part_and_removed() {
        let directory = TempDir::new().unwrap();
        let objects = Objects::open(&settings(storage(&directory).await, "key")).unwrap();
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|byte| byte as u8).collect();
        objects.put("a/b é.wav", "audio/wav", file(&bytes).await, bytes.len() as u64).await.unwrap();
        assert!(std::fs::read(directory.path().join("calls/a/b é.wav")).unwrap() == bytes);
        assert!(all(objects.get("a/b é.wav", None).await.unwrap()).await == bytes);
        assert_eq!(all(objects.get("a/b é.wav", Some(10..=19)).await.unwrap()).await, &bytes[10..20]);
        for _ in 0..2 {
            objects.remove("a/b é.wav").await.unwrap();
        }
        assert!(matches!(objects.get("a/b é.wav", None).await, Err(ObjectError::Absent)));
    }

    #[tokio::test]
    async fn a_whole_object_is_not_taken_for_the_part_that_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let knows_no_parts = Router::new().fallback(async || "the whole object");
        tokio::spawn(async move { axum::serve(listener, knows_no_parts).await });
        let objects = Objects::open(&settings(address, "key")).unwrap();
        let whole = objects.get("a.wav", Some(0..=1)).await.err();
        assert!(matches!(whole, Some(ObjectError::NoParts)), "{whole:?}");
    }

    #[tokio::test]
    async fn a_refusal_and_a_storage_that_is_not_there_are_told_without_the_signed_address() {
        let directory = TempDir::new().unwrap();
        let address = storage(&directory).await;
        let wrong_secret = BucketSettings { secret_key: "other".to_owned(), ..settings(address, "key") };
        let objects = Objects::open(&wrong_secret).unwrap();
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
