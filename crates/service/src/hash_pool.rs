//! Password hashing on a fixed set of threads with a bounded queue, never on the async threads.
//!
//! A hash takes tens of megabytes and milliseconds; without a bound, two hundred logins at once would take gigabytes.

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
    Verify { password: SecretString, phc: Zeroizing<String>, answer: oneshot::Sender<bool> },
    Hash { password: SecretString, salt: [u8; 16], answer: oneshot::Sender<Option<Zeroizing<String>>> },
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
}

impl HashPool {
    /// Starts the threads.
    pub fn start(settings: HashSettings) -> Result<Self, ServiceError> {
        let dummy = password::dummy(settings.parameters)
            .map_err(|_| ServiceError::Configuration("password hashing parameters are out of range".into()))?;
        let (queue, jobs) = sync_channel(settings.queue);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..settings.threads.max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || work(&jobs, settings.parameters))
                .map_err(|_| ServiceError::Internal("a hashing thread did not start"))?;
        }
        Ok(Self { queue, parameters: settings.parameters, dummy: Arc::new(dummy) })
    }

    /// Whether `password` is that of `phc`; without a `phc` a dummy is checked, so that both take the same time.
    pub async fn verify(&self, password: SecretString, phc: Option<Zeroizing<String>>) -> Result<bool, ServiceError> {
        let known = phc.is_some();
        let phc = phc.unwrap_or_else(|| self.dummy.as_ref().clone());
        let (answer, verdict) = oneshot::channel();
        self.submit(Job::Verify { password, phc, answer })?;
        let right = verdict.await.map_err(|_| ServiceError::Internal("a hashing thread died"))?;
        Ok(right && known)
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

fn work(jobs: &Mutex<Receiver<Job>>, parameters: HashParams) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.is_abandoned() {
            continue;
        }
        // An answer nobody waits for any more is dropped.
        match job {
            Job::Verify { password, phc, answer } => {
                let right = password::verify_with(&mut memory, password.expose_secret(), &phc).unwrap_or(false);
                let _ = answer.send(right);
            }
            Job::Hash { password, salt, answer } => {
                let phc = password::hash_with(&mut memory, password.expose_secret(), &salt, parameters);
                let _ = answer.send(phc.ok());
            }
        }
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
    async fn a_full_queue_is_refused_at_once() {
        let pool = pool(1, 1);
        let many = (0..64).map(|_| pool.verify("x".into(), None));
        let answers = futures_util::future::join_all(many).await;
        let busy = answers.iter().filter(|answer| matches!(answer, Err(ServiceError::Busy(_)))).count();
        assert!(busy > 0 && busy < 64, "{busy} of 64 were refused");
    }
}
