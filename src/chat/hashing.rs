//! Password hashing by argon2id, on threads of its own behind bounded queues. Each thread has one buffer of 19 MiB. Tokio's
//! workers and the threads of the database never hash.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Error;
use crate::domain::ids::Ids;
use crate::domain::password::Password;

/// The least that OWASP recommends for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Jobs of one urgency that wait for a thread. A thread makes about 50 hashes a second, so one more job would wait too long
/// anyway; it is refused.
const QUEUE: usize = 32;
/// Jobs of known people after which a stranger who waits gets the next thread: known people come first, and cannot keep
/// strangers out.
const KNOWN_IN_A_ROW: u32 = 4;
/// A caller who waited this long is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a refused caller is told to wait.
const COME_BACK: Duration = Duration::from_secs(2);
/// The threads run below everything else: a flood of sign-ins must not delay streams.
const NICENESS: i32 = 10;

/// Whose hash is made first. Each urgency has one queue for all its people, so that strangers who fill theirs keep nobody out
/// who signed in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// People who are signed in, or sign in from a network that they signed in from before.
    Known,
    /// Everybody else.
    Stranger,
}

struct Job {
    password: Password,
    work: Work,
}

enum Work {
    Hash(oneshot::Sender<Option<String>>),
    Verify(String, oneshot::Sender<bool>),
}

/// The queue of the hashing threads. They end when it is dropped.
pub struct Hashing {
    queue: Arc<Queue>,
    /// A hash that no password has. It is verified for people who do not exist, so that the answer takes as long.
    nobody: Arc<str>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the threads for each job, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    known: VecDeque<Job>,
    strangers: VecDeque<Job>,
    /// How many jobs of known people were taken since the last one of a stranger.
    known_in_a_row: u32,
    is_over: bool,
}

impl Hashing {
    pub fn start(threads: usize, ids: Ids) -> std::io::Result<Self> {
        let hash = phc(&ids.random_bytes::<SALT_BYTES>(), &ids.random_bytes::<HASH_BYTES>());
        // Made before the threads, so that its drop ends them if one of them cannot be started.
        let hashing = Self { queue: Arc::default(), nobody: hash.into() };
        for n in 0..threads.max(1) {
            let queue = hashing.queue.clone();
            std::thread::Builder::new().name(format!("hash-{n}")).spawn(move || work(&queue, ids))?;
        }
        Ok(hashing)
    }

    /// The PHC string of a new password.
    pub(super) async fn hash(&self, password: Password, urgency: Urgency) -> Result<String, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.put(Job { password, work: Work::Hash(reply) }, urgency)?;
        let hash = wait(answer).await?;
        hash.ok_or_else(|| Error::Internal("a password could not be hashed".into()))
    }

    /// Whether a password is the one that was hashed. Without a hash it never is, after the same work.
    pub(super) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        urgency: Urgency,
    ) -> Result<bool, Error> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.to_string());
        let (reply, answer) = oneshot::channel();
        self.queue.put(Job { password, work: Work::Verify(hash, reply) }, urgency)?;
        Ok(wait(answer).await? && exists)
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.queue.waiting().is_over = true;
        self.queue.changed.notify_all();
    }
}

impl Queue {
    fn put(&self, job: Job, urgency: Urgency) -> Result<(), Error> {
        let mut waiting = self.waiting();
        let jobs = match urgency {
            Urgency::Known => &mut waiting.known,
            Urgency::Stranger => &mut waiting.strangers,
        };
        // Callers who have hung up or waited too long must not keep others out.
        if jobs.len() >= QUEUE {
            jobs.retain(|job| !job.is_given_up());
        }
        if jobs.len() >= QUEUE {
            return Err(Error::Overloaded { retry_after: COME_BACK });
        }
        jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a job whose caller still waits. None when the queue is over. It blocks, so only the hashing threads call it.
    fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting();
        while !waiting.is_over {
            match waiting.take() {
                Some(job) => return Some(job),
                None => waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
        None
    }

    /// The lock is held for a few instructions, by the hashing threads and by callers who put a job.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The job that comes next, of those whose caller still waits.
    fn take(&mut self) -> Option<Job> {
        let Self { known, strangers, known_in_a_row, .. } = self;
        let still_waiting =
            |jobs: &mut VecDeque<Job>| std::iter::from_fn(|| jobs.pop_front()).find(|job| !job.is_given_up());
        if *known_in_a_row < KNOWN_IN_A_ROW
            && let Some(job) = still_waiting(known)
        {
            *known_in_a_row += 1;
            return Some(job);
        }
        *known_in_a_row = 0;
        still_waiting(strangers).or_else(|| still_waiting(known))
    }
}

impl Job {
    fn is_given_up(&self) -> bool {
        match &self.work {
            Work::Hash(reply) => reply.is_closed(),
            Work::Verify(_, reply) => reply.is_closed(),
        }
    }
}

async fn wait<T>(answer: oneshot::Receiver<T>) -> Result<T, Error> {
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Error::Internal("a hashing thread has ended".into())),
        Err(_) => Err(Error::Overloaded { retry_after: COME_BACK }),
    }
}

fn work(queue: &Queue, ids: Ids) {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::warn!(%error, "hashing runs at normal priority");
    }
    let mut memory: Vec<Block> = Vec::new();
    while let Some(Job { password, work }) = queue.next() {
        match work {
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
    // The type of the stored output compares in constant time.
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

/// The PHC string of a hash with the parameters above.
fn phc(salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_verifies() {
        let hashing = Hashing::start(1, Ids::SYSTEM).unwrap();
        let password = |text: &str| Password::presented(text).unwrap();
        let hash = hashing.hash(password("correct horse"), Urgency::Known).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            hashing.verify(password("correct horse"), Some(hash.clone()), Urgency::Stranger).await.unwrap()
        );
        assert!(!hashing.verify(password("correct horse "), Some(hash), Urgency::Stranger).await.unwrap());
        assert!(!hashing.verify(password("correct horse"), None, Urgency::Stranger).await.unwrap());
    }

    #[test]
    fn strangers_fill_their_own_queue_alone_and_known_people_come_first() {
        let queue = Queue::default();
        let job = |text: &str| {
            let (reply, answer) = oneshot::channel();
            let password = Password::presented(text).unwrap();
            (Job { password, work: Work::Verify(String::new(), reply) }, answer)
        };
        let mut answers = Vec::new();
        let mut put = |text: &str, urgency| {
            let (job, answer) = job(text);
            answers.push(answer);
            queue.put(job, urgency)
        };
        for _ in 0..QUEUE {
            put("stranger", Urgency::Stranger).unwrap();
        }
        assert!(put("one too many", Urgency::Stranger).is_err());
        for _ in 0..2 * KNOWN_IN_A_ROW {
            put("known", Urgency::Known).unwrap();
        }
        for _ in 0..2 {
            for _ in 0..KNOWN_IN_A_ROW {
                assert_eq!(queue.next().unwrap().password.as_bytes(), b"known");
            }
            assert_eq!(queue.next().unwrap().password.as_bytes(), b"stranger");
        }
        // The first answer was that of a job that was taken. All that wait are given up now.
        answers.clear();
        let (last, _answer) = job("last");
        queue.put(last, Urgency::Stranger).unwrap();
        assert_eq!(queue.next().unwrap().password.as_bytes(), b"last");
    }
}
