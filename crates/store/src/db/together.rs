//! What many callers of a node want at the same moment, done at once.
//!
//! Whoever comes while nothing is under way starts it, and what comes meanwhile is taken together when it is done: nobody
//! waits for a clock. Every caller is answered after the database has answered, and with its own answer: if all of it
//! together was refused, each is tried by itself, so that one bad row fails nobody else.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Db;
use crate::StoreError;

/// So much may wait; what comes beyond it is refused at once.
const MOST_WAITING: usize = 4096;

/// Something that can be done for several callers at once.
pub trait Job: Sized + Send + Sync + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;
    /// So much is done at once, at most; a single job may be more.
    const MOST: usize;

    /// Where these wait.
    fn queue(db: &Db) -> &Queue<Self>;

    /// How much it is.
    fn size(&self) -> usize {
        1
    }

    /// Does all of `jobs` or none: an answer for each, in their order.
    fn run(db: &Db, jobs: &[Self]) -> impl Future<Output = Result<Vec<Self::Answer>, StoreError>> + Send;
}

/// Jobs that wait.
pub struct Queue<J: Job>(Mutex<Waiting<J>>);

struct Waiting<J: Job> {
    jobs: VecDeque<(J, Answering<J>)>,
    size: usize,
    /// Somebody is at work and looks here again before ending.
    served: bool,
}

type Answering<J> = oneshot::Sender<Result<<J as Job>::Answer, StoreError>>;

impl<J: Job> Default for Queue<J> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { jobs: VecDeque::new(), size: 0, served: false }))
    }
}

impl Db {
    /// Has `job` done, together with whatever else waits. The work goes on when the caller goes away.
    pub(crate) async fn together<J: Job>(&self, job: J) -> Result<J::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        if J::queue(self).enter(job, answer)? {
            // On the runtime of the connections: a caller that goes away takes nobody's work with it.
            let serving = Serving { db: self.clone(), queue: J::queue };
            self.handle()?.spawn(serving.run());
        }
        answered.await.map_err(|_| StoreError::Unavailable("the work was given up".to_owned()))?
    }
}

impl<J: Job> Queue<J> {
    /// Whether the caller has to see that it is served.
    fn enter(&self, job: J, answer: Answering<J>) -> Result<bool, StoreError> {
        let mut waiting = self.lock();
        if waiting.size >= MOST_WAITING {
            return Err(StoreError::Unavailable("too much waits to be done".to_owned()));
        }
        waiting.size += job.size();
        waiting.jobs.push_back((job, answer));
        Ok(!std::mem::replace(&mut waiting.served, true))
    }

    /// What is done next; nothing: nobody waits, and nobody is at work any more.
    fn take(&self) -> (Vec<J>, Vec<Answering<J>>) {
        let mut waiting = self.lock();
        let (mut jobs, mut answers, mut taken) = (Vec::new(), Vec::new(), 0);
        while let Some((job, _)) = waiting.jobs.front()
            && (jobs.is_empty() || taken + job.size() <= J::MOST)
            && let Some((job, answer)) = waiting.jobs.pop_front()
        {
            taken += job.size();
            jobs.push(job);
            answers.push(answer);
        }
        waiting.size -= taken;
        waiting.served = !jobs.is_empty();
        (jobs, answers)
    }

    /// Everybody who waits at this moment.
    fn take_all(&self) -> Vec<Answering<J>> {
        let mut waiting = self.lock();
        waiting.size = 0;
        waiting.jobs.drain(..).map(|(_, answer)| answer).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody at work.
struct Serving<J: Job> {
    db: Db,
    queue: fn(&Db) -> &Queue<J>,
}

impl<J: Job> Serving<J> {
    async fn run(self) {
        loop {
            let (jobs, answers) = (self.queue)(&self.db).take();
            if jobs.is_empty() {
                return;
            }
            match J::run(&self.db, &jobs).await {
                Ok(done) => answers.into_iter().zip(done).for_each(|(answer, done)| drop(answer.send(Ok(done)))),
                Err(error) => self.sort_out(error, jobs, answers).await,
            }
        }
    }

    /// All of it together failed: a database that is not there fails everybody who waits, else each is tried by itself.
    async fn sort_out(&self, error: StoreError, jobs: Vec<J>, answers: Vec<Answering<J>>) {
        let mut failed = error;
        let alone = jobs.len() == 1;
        let mut rest = answers.into_iter();
        if !matches!(failed, StoreError::Unavailable(_)) && !alone {
            for (job, answer) in jobs.into_iter().zip(rest.by_ref()) {
                let done = J::run(&self.db, std::slice::from_ref(&job)).await;
                let done = done.and_then(|mut done| done.pop().ok_or_else(nothing));
                if let Err(StoreError::Unavailable(why)) = &done {
                    failed = StoreError::Unavailable(why.clone());
                    let _ = answer.send(done);
                    break;
                }
                let _ = answer.send(done);
            }
        }
        if let StoreError::Unavailable(why) = &failed {
            rest.chain((self.queue)(&self.db).take_all())
                .for_each(|answer| drop(answer.send(Err(StoreError::Unavailable(why.clone())))));
        } else if let Some(only) = rest.next() {
            let _ = only.send(Err(failed));
        }
    }
}

fn nothing() -> StoreError {
    StoreError::Database("a job has no answer".to_owned())
}

/// Whoever waits is told when the work ends in the middle; the next caller begins anew.
impl<J: Job> Drop for Serving<J> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut waiting = (self.queue)(&self.db).lock();
            waiting.jobs.clear();
            waiting.size = 0;
            waiting.served = false;
        }
    }
}
