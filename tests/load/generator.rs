//! Keeps connections busy with scripts, one after the other (a closed loop) or by the clock (an open one).

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::figures;
use crate::link::Link;

/// What a connection does, again and again; a wrong answer is a panic.
#[async_trait(?Send)]
pub trait Script {
    /// One operation: a request, or the few of a login.
    async fn once(&mut self, link: &mut Link);
}

/// A script for each connection.
pub type Scripts = Vec<Box<dyn Script>>;

/// When an operation begins.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// When the one before has ended.
    Closed,
    /// So many begin in a second, whether others have ended or not as long as a connection is free.
    Open(f64),
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Requests that were sent.
    pub requests: usize,
    /// How long all of it took.
    pub elapsed: Duration,
    /// What each operation took, the quickest first.
    pub latencies: Vec<Duration>,
}

impl Drive {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        figures::float(self.latencies.len()) / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// What `percent` of the operations did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Runs `operations` of `scripts` against the server at `address`.
pub async fn drive(address: SocketAddr, scripts: &mut Scripts, operations: usize, pace: Pace) -> Drive {
    let mut links = join_all(scripts.iter().map(|_| Link::open(address))).await;
    let turns = Turns { next: Cell::new(0), end: operations, begin: Instant::now(), pace };
    let workers = scripts.iter_mut().zip(&mut links).map(|(script, link)| work(script.as_mut(), link, &turns));
    let worked: Vec<Vec<Duration>> = workers.collect::<FuturesUnordered<_>>().collect().await;
    let elapsed = turns.begin.elapsed();
    let mut latencies = worked.concat();
    latencies.sort_unstable();
    Drive { requests: links.iter().map(|link| link.asked).sum(), elapsed, latencies }
}

struct Turns {
    next: Cell<usize>,
    end: usize,
    begin: Instant,
    pace: Pace,
}

impl Turns {
    /// Waits for the next operation's turn and answers from when on it is counted. Who was free in time does not pay for
    /// a timer that is late; who was not pays for the operation that kept them.
    async fn take(&self) -> Option<Instant> {
        let turn = self.next.get();
        if turn == self.end {
            return None;
        }
        self.next.set(turn + 1);
        let Pace::Open(rate) = self.pace else { return Some(Instant::now()) };
        let due = self.begin + Duration::from_secs_f64(figures::float(turn) / rate);
        if due <= Instant::now() {
            return Some(due);
        }
        tokio::time::sleep_until(due.into()).await;
        Some(Instant::now())
    }
}

async fn work(script: &mut dyn Script, link: &mut Link, turns: &Turns) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(turns.end);
    while let Some(begin) = turns.take().await {
        script.once(link).await;
        latencies.push(begin.elapsed());
    }
    latencies
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let latencies: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let drive = Drive { requests: 200, elapsed: Duration::from_secs(2), latencies };
        assert_eq!(drive.percentile(50), Duration::from_millis(100));
        assert_eq!(drive.percentile(99), Duration::from_millis(198));
        assert!((drive.rate() - 100.0).abs() < 1e-9);
        let one = Drive { latencies: vec![Duration::from_millis(7)], ..drive };
        assert_eq!(one.percentile(99), Duration::from_millis(7));
    }
}
