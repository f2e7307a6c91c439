//! Password hashing on threads of its own: argon2id, one block buffer a thread, behind a bounded queue. Tokio's workers
//! and the database's threads never hash.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Error;
use crate::domain::ids::Ids;
use crate::domain::password::Password;

/// OWASP's floor for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Jobs waiting for a thread; at about 50 a second each more would wait too long anyway.
const QUEUE: usize = 32;
/// Whoever waited this long is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a refused caller is told to wait.
const COME_BACK: Duration = Duration::from_secs(2);
/// Below everything else: a flood of sign-ins must not delay streams.
const NICENESS: i32 = 10;

struct Job {
    password: Password,
    work: Work,
}

enum Work {
    Hash(oneshot::Sender<Option<String>>),
    Verify(String, oneshot::Sender<bool>),
}

/// The queue of the hashing threads. They end when the last handle is dropped.
#[derive(Clone)]
pub struct Hashing {
    queue: SyncSender<Job>,
    /// A hash of no password, for people who do not exist: they cost what others cost.
    nobody: Arc<str>,
}

impl Hashing {
    pub fn start(threads: usize, ids: Ids) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for n in 0..threads.max(1) {
            let jobs = jobs.clone();
            std::thread::Builder::new().name(format!("hash-{n}")).spawn(move || work(&jobs, ids))?;
        }
        let hash = phc(&ids.random_bytes::<SALT_BYTES>(), &ids.random_bytes::<HASH_BYTES>());
        Ok(Self { queue, nobody: hash.into() })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        let (reply, answer) = oneshot::channel();
        self.put(Job { password, work: Work::Hash(reply) })?;
        let hash = wait(answer).await?;
        hash.ok_or_else(|| Error::Internal("a password could not be hashed".into()))
    }

    /// Whether a password is the one that was hashed. Without a hash it never is, after the same work.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, Error> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let (reply, answer) = oneshot::channel();
        self.put(Job { password, work: Work::Verify(hash, reply) })?;
        Ok(wait(answer).await? && exists)
    }

    fn put(&self, job: Job) -> Result<(), Error> {
        self.queue.try_send(job).map_err(|_| Error::Overloaded { retry_after: COME_BACK })
    }
}

async fn wait<T>(answer: oneshot::Receiver<T>) -> Result<T, Error> {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Error::Internal("a hashing thread has ended".into())),
        Err(_) => Err(Error::Overloaded { retry_after: COME_BACK }),
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, ids: Ids) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "hashing runs at normal priority");
    }
    let mut memory: Vec<Block> = Vec::new();
    loop {
        // Held while waiting: one thread waits for the queue, the others for the lock.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { password, work }) = job else { return };
        match work {
            // Who has given up waiting costs nothing.
            Work::Hash(reply) if reply.is_closed() => {}
            Work::Verify(_, reply) if reply.is_closed() => {}
            Work::Hash(reply) => {
                let salt = ids.random_bytes::<SALT_BYTES>();
                let hash = derive(&password, &salt, None, &mut memory).map(|hash| phc(&salt, &hash));
                let _ = reply.send(hash);
            }
            Work::Verify(hash, reply) => {
                let _ = reply.send(matches(&password, &hash, &mut memory));
            }
        }
    }
}

fn matches(password: &Password, hash: &str, memory: &mut Vec<Block>) -> bool {
    let Ok(stored) = PasswordHash::new(hash) else { return false };
    let (Some(salt), Some(wanted), Ok(params)) = (&stored.salt, &stored.hash, Params::try_from(&stored))
    else {
        return false;
    };
    let derived = derive(password, salt, Some(params), memory);
    // Compared in constant time by the type of the stored output.
    derived
        .and_then(|hash| argon2::password_hash::phc::Output::new(&hash).ok())
        .is_some_and(|hash| hash == *wanted)
}

fn derive(
    password: &Password,
    salt: &[u8],
    params: Option<Params>,
    memory: &mut Vec<Block>,
) -> Option<[u8; HASH_BYTES]> {
    let ours = || Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES));
    let params = params.map_or_else(ours, Ok).ok()?;
    memory.resize(params.block_count().max(memory.len()), Block::default());
    let mut hash = [0; HASH_BYTES];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, memory.as_mut_slice())
        .ok()?;
    Some(hash)
}

/// The PHC string of our own parameters.
fn phc(salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_verifies() {
        let hashing = Hashing::start(1, Ids).unwrap();
        let password = |text: &str| Password::presented(text.into()).unwrap();
        let hash = hashing.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hashing.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!hashing.verify(password("correct horse "), Some(hash)).await.unwrap());
        assert!(!hashing.verify(password("correct horse"), None).await.unwrap());
    }
}
