//! People coming into many rooms at a set pace, and what the doors said to those who were refused.

use crate::crowd::Live;
use crate::door::{Door, Refused, client, enter_within};
use crate::peer::{Peer, Wanted};
use anyhow::Result;
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Longest wait for a place among those coming in: handshakes that are not done by then are waited for no more.
const DOORWAY: Duration = Duration::from_secs(2);
/// Reasons of failures that are told.
const TOLD: usize = 5;

/// Who comes into a room: tokens of people. The first speaker leads it; others were brought up before, or into booths.
#[derive(Debug, Clone, Deserialize)]
pub struct RoomPlan {
    /// The room.
    pub room: String,
    /// Speakers.
    #[serde(default)]
    pub speakers: Vec<String>,
    /// The number of the first of them in the room; even ones say what the first does, odd ones what the second does.
    #[serde(default)]
    pub first_speaker: usize,
    /// Listeners.
    #[serde(default)]
    pub listeners: Vec<String>,
    /// Languages that these listeners understand, the best first; none hears the floor.
    #[serde(default)]
    pub understands: Vec<String>,
}

/// Refusals for one reason.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// How many were told when to come back.
    pub with_retry: u64,
    /// The shortest time told, s.
    pub soonest_seconds: Option<u64>,
    /// The longest time told, s.
    pub latest_seconds: Option<u64>,
    /// The first of them, whole.
    pub words: String,
}

/// Somebody who was let in.
pub struct Arrived {
    /// The session.
    pub peer: Peer,
    /// The room.
    pub room: String,
    /// Which speaker of the room, none for listeners.
    pub speaks: Option<usize>,
}

/// How it went at the doors.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Joins that failed otherwise.
    pub failed: u64,
    /// Why the first of them did.
    pub failures: Vec<String>,
    /// Refusals, by reason.
    pub refused: BTreeMap<String, Refusals>,
}

/// How people come in.
#[derive(Debug, Clone)]
pub struct Arrivals {
    /// Public origin of the deployment.
    pub api: Url,
    /// Joins per second.
    pub rate: f64,
    /// Joins under way at most, handshakes included.
    pub concurrency: usize,
    /// How often a server that is full is asked.
    pub tries: u32,
    /// Local address of all sockets.
    pub bind: Option<IpAddr>,
}

type Joins = JoinSet<Result<Arrived>>;

impl Arrivals {
    /// Lets all in, room by room, and hands on whoever was.
    pub async fn let_in(
        &self,
        rooms: &[RoomPlan],
        live: &Live,
        mut welcome: impl FnMut(Arrived) -> Result<()>,
    ) -> Result<Outcome> {
        let http = client()?;
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / self.rate.max(0.1)));
        let (mut joins, mut outcome, mut entered) = (Joins::new(), Outcome::default(), live_now(live));
        for (plan, token, speaks) in rooms.iter().flat_map(people) {
            pace.tick().await;
            let patience = Instant::now() + DOORWAY;
            loop {
                while let Some(done) = joins.try_join_next() {
                    entered += outcome.settle(done?, &mut welcome)?;
                }
                // People do not press on into a full doorway.
                let handshakes = entered.saturating_sub(live_now(live)) as usize;
                if joins.len() + handshakes < self.concurrency {
                    break;
                }
                if Instant::now() > patience {
                    entered = live_now(live);
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let understands = if speaks.is_none() { plan.understands.clone() } else { Vec::new() };
            let (api, room, token) = (self.api.clone(), plan.room.clone(), token.into());
            let door = Door::Room { api, room, token, understands };
            joins.spawn(come(http.clone(), door, speaks, self.tries, self.bind));
        }
        while let Some(done) = joins.join_next().await {
            outcome.settle(done?, &mut welcome)?;
        }
        Ok(outcome)
    }
}

fn live_now(live: &Live) -> u64 {
    live.connected.load(Ordering::Relaxed) + live.ended.load(Ordering::Relaxed)
}

fn people(plan: &RoomPlan) -> impl Iterator<Item = (&RoomPlan, &str, Option<usize>)> {
    let speakers = plan.speakers.iter().zip(plan.first_speaker..).map(|(token, number)| (token, Some(number)));
    let listeners = plan.listeners.iter().map(|token| (token, None));
    speakers.chain(listeners).map(move |(token, speaks)| (plan, token.as_str(), speaks))
}

async fn come(http: Client, door: Door, speaks: Option<usize>, tries: u32, bind: Option<IpAddr>) -> Result<Arrived> {
    let wanted =
        Wanted { speaks: speaks.is_some(), hears: usize::from(speaks.is_none()), red: false, ..Wanted::default() };
    let entered = enter_within(tries, &http, &door, wanted, bind).await?;
    let Door::Room { room, .. } = door else { anyhow::bail!("people come into rooms") };
    Ok(Arrived { peer: entered.peer, room, speaks })
}

impl Outcome {
    /// Takes how one join went; 1 when a listener was let in.
    fn settle(&mut self, done: Result<Arrived>, welcome: &mut impl FnMut(Arrived) -> Result<()>) -> Result<u64> {
        let error = match done {
            Ok(arrived) => {
                let listens = u64::from(arrived.speaks.is_none());
                return welcome(arrived).map(|()| listens);
            }
            Err(error) => error,
        };
        let Some(refused) = error.downcast_ref::<Refused>() else {
            self.failed += 1;
            if self.failures.len() < TOLD {
                self.failures.push(format!("{error:#}"));
            }
            return Ok(0);
        };
        let reason = if refused.reason.is_empty() { refused.status.to_string() } else { refused.reason.clone() };
        let known = self
            .refused
            .entry(reason)
            .or_insert_with(|| Refusals { words: refused.to_string(), ..Refusals::default() });
        known.count += 1;
        known.with_retry += u64::from(refused.retry_seconds.is_some());
        known.soonest_seconds = [known.soonest_seconds, refused.retry_seconds].into_iter().flatten().min();
        known.latest_seconds = known.latest_seconds.max(refused.retry_seconds);
        Ok(0)
    }
}
