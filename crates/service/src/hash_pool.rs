//! Password hashing on a fixed set of threads with a bounded queue, never on the async threads.
//!
//! A hash takes tens of megabytes and milliseconds; without a bound, two hundred logins at once would take gigabytes.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use countersign_flow::password::{self, Block, HashParams};
use countersign_model::Seconds;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::ServiceError;
use crate::clock::random;

/// How passwords are hashed, and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct HashSettings {
    /// argon2id parameters of new hashes.
    pub parameters: HashParams,
    /// Threads that hash; as many hashes run at once.
    pub threads: usize,
    /// Jobs that may wait; one more is refused with [`ServiceError::Busy`].
    pub queue: usize,
}

enum Job {
    /// Every one is computed; the answer is that of the first.
    Verify {
        password: SecretString,
        stored: Vec<Zeroizing<String>>,
        answer: oneshot::Sender<bool>,
    },
    Hash {
        password: SecretString,
        salt: [u8; 16],
        answer: oneshot::Sender<Option<Zeroizing<String>>>,
    },
}

impl Job {
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Verify { answer, .. } => answer.is_closed(),
            Self::Hash { answer, .. } => answer.is_closed(),
        }
    }
}

/// The threads and their queue. They end when the last clone is dropped.
#[derive(Clone)]
pub struct HashPool {
    queue: SyncSender<Job>,
    parameters: HashParams,
    dummy: Arc<Zeroizing<String>>,
    work: Work,
}

/// How many hashes of each cost were verified, by the dummy of that cost. There are as many as there are ways of hashing.
type Work = Arc<Mutex<BTreeMap<String, u64>>>;

impl HashPool {
    /// Starts the threads.
    pub fn start(settings: HashSettings) -> Result<Self, ServiceError> {
        let dummy = password::dummy(settings.parameters)
            .map_err(|_| ServiceError::Configuration("password hashing parameters are out of range".into()))?;
        let (queue, jobs) = sync_channel(settings.queue);
        let jobs = Arc::new(Mutex::new(jobs));
        let work = Work::default();
        for number in 0..settings.threads.max(1) {
            let (jobs, done) = (Arc::clone(&jobs), Arc::clone(&work));
            thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || serve(&jobs, &done, settings.parameters))
                .map_err(|_| ServiceError::Internal("a hashing thread did not start"))?;
        }
        Ok(Self { queue, parameters: settings.parameters, dummy: Arc::new(dummy), work })
    }

    /// Whether `password` is that of `phc`; without a `phc` a dummy is checked, so that both take the same time.
    pub async fn verify(&self, password: SecretString, phc: Option<Zeroizing<String>>) -> Result<bool, ServiceError> {
        let known = phc.is_some();
        let stored = vec![phc.unwrap_or_else(|| self.dummy.as_ref().clone())];
        Ok(self.verify_first(password, stored).await? && known)
    }

    /// As `verify`, where hashes of several costs are in use: one of each is computed, whosever `phc` it is, or nobody's.
    /// One job: what waits in the queue is bounded as ever.
    pub async fn verify_among(
        &self,
        password: SecretString,
        phc: Option<Zeroizing<String>>,
        dummies: Vec<String>,
    ) -> Result<bool, ServiceError> {
        let known = phc.is_some();
        let cost = phc.as_ref().and_then(|phc| password::dummy_like(phc).ok());
        let others = dummies.into_iter().filter(|dummy| Some(dummy) != cost.as_ref()).map(Zeroizing::new);
        let stored: Vec<_> = phc.into_iter().chain(others).collect();
        if stored.is_empty() {
            return self.verify(password, None).await;
        }
        Ok(self.verify_first(password, stored).await? && known)
    }

    async fn verify_first(&self, password: SecretString, stored: Vec<Zeroizing<String>>) -> Result<bool, ServiceError> {
        let (answer, verdict) = oneshot::channel();
        self.submit(Job::Verify { password, stored, answer })?;
        verdict.await.map_err(|_| ServiceError::Internal("a hashing thread died"))
    }

    /// How many hashes of each cost were verified since the start, by [`password::dummy_like`] of them.
    pub fn work_done(&self) -> BTreeMap<String, u64> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The PHC string of `password` under today's parameters and a fresh salt.
    pub async fn hash(&self, password: SecretString) -> Result<Zeroizing<String>, ServiceError> {
        let (answer, phc) = oneshot::channel();
        self.submit(Job::Hash { password, salt: random()?, answer })?;
        let phc = phc.await.map_err(|_| ServiceError::Internal("a hashing thread died"))?;
        phc.ok_or(ServiceError::Internal("a password could not be hashed"))
    }

    /// Whether `phc` was made with weaker parameters than today's.
    pub fn needs_rehash(&self, phc: &str) -> bool {
        password::needs_rehash(phc, self.parameters)
    }

    fn submit(&self, job: Job) -> Result<(), ServiceError> {
        self.queue.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => ServiceError::Busy(Seconds::new(2)),
            TrySendError::Disconnected(_) => ServiceError::Internal("the hashing threads are gone"),
        })
    }
}

fn serve(jobs: &Mutex<Receiver<Job>>, done: &Work, parameters: HashParams) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.is_abandoned() {
            continue;
        }
        // An answer nobody waits for any more is dropped.
        match job {
            Job::Verify { password, stored, answer } => {
                let mut verify = |phc: &Zeroizing<String>| {
                    note_work(done, phc);
                    password::verify_with(&mut memory, password.expose_secret(), phc).unwrap_or(false)
                };
                let verdicts: Vec<bool> = stored.iter().map(&mut verify).collect();
                let _ = answer.send(verdicts.first().copied().unwrap_or(false));
            }
            Job::Hash { password, salt, answer } => {
                let phc = password::hash_with(&mut memory, password.expose_secret(), &salt, parameters);
                let _ = answer.send(phc.ok());
            }
        }
    }
}

fn note_work(done: &Work, phc: &str) {
    if let Ok(cost) = password::dummy_like(phc) {
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        let count = done.entry(cost).or_default();
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize, queue: usize) -> HashPool {
        let parameters = HashParams { memory_kib: 64, passes: 1, lanes: 1 };
        HashPool::start(HashSettings { parameters, threads, queue }).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_nobody_has_the_dummy() {
        let pool = pool(2, 8);
        let phc = pool.hash("correct horse".into()).await.unwrap();
        assert!(pool.verify("correct horse".into(), Some(phc.clone())).await.unwrap());
        assert!(!pool.verify("wrong horse".into(), Some(phc)).await.unwrap());
        assert!(!pool.verify("correct horse".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn one_hash_of_every_cost_is_verified_whosever_it_is() {
        const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuu5pTTdzW1hCDd3xLtvje8LLGZ4uI9cVe";
        const PBKDF2: &str = "$pbkdf2-sha256$i=1000$c2l4dGVlbiBieXRlcyAhIQ$ajDQuQDrd3zODIF8diYAv3JE1zPmhOAsINBqAIBkKII";
        let dummies: Vec<String> = [BCRYPT, PBKDF2].iter().map(|phc| password::dummy_like(phc).unwrap()).collect();
        for (phc, right) in [(None, false), (Some(BCRYPT), true), (Some(PBKDF2), true)] {
            let pool = pool(1, 8);
            for (guess, is_right) in [("pond-lily-4471", right), ("pond-lily-4472", false)] {
                let stored = phc.map(|phc| Zeroizing::new(phc.to_owned()));
                assert_eq!(pool.verify_among(guess.into(), stored, dummies.clone()).await.unwrap(), is_right);
            }
            let work: Vec<(String, u64)> = pool.work_done().into_iter().collect();
            assert_eq!(work, dummies.iter().map(|dummy| (dummy.clone(), 2)).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once() {
        let pool = pool(1, 1);
        let many = (0..64).map(|_| pool.verify("x".into(), None));
        let answers = futures_util::future::join_all(many).await;
        let busy = answers.iter().filter(|answer| matches!(answer, Err(ServiceError::Busy(_)))).count();
        assert!(busy > 0 && busy < 64, "{busy} of 64 were refused");
    }
}
