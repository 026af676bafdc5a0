//! Clients that ask again as soon as they are answered, or at a pace; and what they saw.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::process::Process;

/// What clients saw, and what it cost a process.
pub struct Measured {
    pub per_second: f64,
    /// Of the process that is measured, in microseconds.
    pub cpu_each: f64,
    /// The most memory it held, in MB.
    pub peak: f64,
    latencies: Vec<Duration>,
}

impl Measured {
    /// In milliseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        let milliseconds = self.latencies.iter().map(|latency| latency.as_secs_f64() * 1000.0);
        let wanted = quantile * f64::from(u32::try_from(self.latencies.len()).unwrap());
        milliseconds.zip(1_u32..).find(|(_, rank)| f64::from(*rank) >= wanted).unwrap().0
    }
}

/// One client.
#[async_trait::async_trait]
pub trait Ask: Send + 'static {
    /// Asks once, and waits for the answer. `number` is no other's.
    async fn ask(&mut self, number: u64);
}

/// Runs these clients for a while, each at this pace if there is one.
pub async fn load<A: Ask>(clients: Vec<A>, pace: Option<Duration>, time: Duration, process: &Process) -> Measured {
    let next = Arc::new(AtomicU64::new(0));
    let count = u32::try_from(clients.len()).unwrap();
    process.forget_peak();
    let (began, cpu) = (Instant::now(), process.cpu_seconds());
    let clients: Vec<_> = (0_u32..)
        .zip(clients)
        .map(|(client, mut asking)| {
            let next = next.clone();
            // At a pace, they begin spread over it.
            let wait = pace.map(|pace| pace.mul_f64(f64::from(client) / f64::from(count)));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                tokio::time::sleep(wait.unwrap_or_default()).await;
                while began.elapsed() < time {
                    let asked = Instant::now();
                    asking.ask(next.fetch_add(1, Ordering::Relaxed)).await;
                    latencies.push(asked.elapsed());
                    if let Some(pace) = pace {
                        tokio::time::sleep(pace.saturating_sub(asked.elapsed())).await;
                    }
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    let elapsed = began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let count = f64::from(u32::try_from(latencies.len()).unwrap());
    let cpu_each = (process.cpu_seconds() - cpu) * 1e6 / count;
    Measured { per_second: count / elapsed, cpu_each, peak: process.peak(), latencies }
}
