//! Passwords: argon2id, on threads of their own, because one hash takes tens of milliseconds on purpose.

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::{mpsc, oneshot};

use crate::AppError;

/// Shortest password (NIST SP 800-63B §5.1.1.2 asks for at least 8).
const LENGTH_MIN: usize = 10;
/// Longest password: what is longer is an attempt to keep the threads busy.
const LENGTH_MAX: usize = 256;
/// Hashes that may wait; at some 30 ms each this is a wait of two seconds.
const QUEUE: usize = 64;

enum Job {
    Hash { password: String, reply: oneshot::Sender<Result<String, AppError>> },
    Verify { password: String, hash: String, reply: oneshot::Sender<bool> },
}

/// Hashes and verifies passwords.
pub struct Passwords {
    jobs: mpsc::Sender<Job>,
    /// Verified when there is no such user, so that an answer takes as long and tells nothing.
    nobody: String,
}

impl Passwords {
    /// Starts the thread.
    pub(crate) fn start() -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        std::thread::spawn(move || work(queue));
        Self { jobs, nobody: hash("nobody has this password").unwrap_or_default() }
    }

    /// A password's hash, in PHC text form.
    ///
    /// # Errors
    /// The password is too short or long, or too many are waiting.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, AppError> {
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&password.chars().count()) {
            return Err(AppError::invalid("bad_password", "password", "a password has 10 to 256 characters"));
        }
        let (reply, answer) = oneshot::channel();
        let job = Job::Hash { password: password.to_owned(), reply };
        self.jobs.try_send(job).map_err(|_| AppError::Overloaded)?;
        answer.await.map_err(|_| AppError::Unavailable("the password check"))?
    }

    /// Whether the password has this hash; with no hash, no after as long a time.
    ///
    /// # Errors
    /// Too many are waiting.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, AppError> {
        if password.chars().count() > LENGTH_MAX {
            return Ok(false);
        }
        let (reply, answer) = oneshot::channel();
        let job = Job::Verify {
            password: password.to_owned(),
            hash: hash.unwrap_or(&self.nobody).to_owned(),
            reply,
        };
        self.jobs.try_send(job).map_err(|_| AppError::Overloaded)?;
        let matches = answer.await.map_err(|_| AppError::Unavailable("the password check"))?;
        Ok(matches && hash.is_some())
    }
}

fn work(mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        // Whoever asked may have gone; the next one has not.
        match job {
            Job::Hash { password, reply } => drop(reply.send(hash(&password))),
            Job::Verify { password, hash, reply } => {
                let matches = PasswordHash::new(&hash)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
                let _ = reply.send(matches);
            }
        }
    }
}

fn hash(password: &str) -> Result<String, AppError> {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| AppError::Internal(error.to_string()))
}
