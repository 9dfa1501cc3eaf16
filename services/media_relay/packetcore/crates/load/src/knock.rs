//! A crowd at the door: people arrive at a set pace whatever the server does, wait in line as it tells them, come in
//! when it is their turn, listen for a while and go.

use crate::crowd::{Command, Listener, Live, start};
use crate::door::{Refused, call, client, leave, local_ip, post};
use crate::peer::{Wanted, offer};
use crate::usage::{allow_files, cpu_seconds, most_files, peak_mebibytes};
use anyhow::{Context, Result, anyhow};
use reqwest::{Client, Url};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Files beside one connection for each person.
const CONNECTIONS: u64 = 2048;
/// When to ask again where the server does not say.
const AGAIN: Duration = Duration::from_secs(5);
/// Reasons of failures that are told.
const TOLD: usize = 5;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The public origin.
    pub api: Url,
    /// The room.
    pub room: String,
    /// A token for each person.
    pub tokens: Vec<String>,
    /// Arrivals per second; nobody waits for an answer of somebody else.
    pub rate: f64,
    /// Length of the run.
    pub length: Duration,
    /// How long somebody listens who came in.
    pub stay: Duration,
    /// Asks for the page of the room first.
    pub page: bool,
    /// Nobody opens a session: people only take their seats.
    pub silent: bool,
    /// Local address of all sockets.
    pub bind: Option<IpAddr>,
}

/// One person, times in seconds since the run began.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Person {
    /// When they were due; they came no earlier.
    pub arrived: f64,
    /// When they knocked, with the page before them.
    pub knocked: Option<f64>,
    /// When they had the first answer.
    pub answered: Option<f64>,
    /// Their first place.
    pub place: Option<u64>,
    /// When a seat was theirs.
    pub seated: Option<f64>,
    /// When their session was answered.
    pub entered: Option<f64>,
    /// When they had gone again.
    pub left: Option<f64>,
}

/// What a run found.
#[derive(Debug, Default, Serialize)]
pub struct Knocks {
    /// Everybody, in the order in which they were due.
    pub people: Vec<Person>,
    /// When each answer came, s, and how long it took, ms, counted from when it was due.
    pub answers: Vec<(f64, f64)>,
    /// Pages of the room, likewise.
    pub pages: Vec<(f64, f64)>,
    /// Refusals, by reason.
    pub refused: BTreeMap<String, u64>,
    /// What failed otherwise.
    pub failed: u64,
    /// Why the first of them did.
    pub failures: Vec<String>,
    /// Sessions that stood.
    pub connected: u64,
    /// Sessions in which something was heard.
    pub hearing: u64,
    /// CPU of this tool, share of a core.
    pub tool_cores: f64,
    /// Most memory of this tool, MiB.
    pub tool_peak_mebibytes: f64,
}

struct Street {
    plan: Plan,
    http: Client,
    begun: Instant,
    crowd: mpsc::Sender<Command>,
    seen: Mutex<Knocks>,
}

enum Answer {
    Seated(Value),
    Place { position: u64, ticket: String, after: Duration },
    Refused { slip: String, after: Duration },
}

/// Runs the plan.
pub async fn run(plan: Plan) -> Result<Knocks> {
    allow_files((CONNECTIONS + 2 * plan.tokens.len() as u64).min(most_files()?))?;
    let live = Arc::new(Live::default());
    let (commands, received) = mpsc::channel();
    let crowd = start(Arc::clone(&live), Duration::from_millis(60), 1000, received)?;
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let seen = Knocks { people: vec![Person::default(); plan.tokens.len()], ..Knocks::default() };
    let street = Arc::new(Street { http: client()?, begun, crowd: commands.clone(), seen: Mutex::new(seen), plan });
    let mut people = JoinSet::new();
    let until = street.begun + street.plan.length;
    for number in 0..street.plan.tokens.len() {
        let due = street.begun + Duration::from_secs_f64(number as f64 / street.plan.rate.max(0.1));
        if due >= until {
            break;
        }
        tokio::time::sleep_until(due.into()).await;
        street.seen().people[number].arrived = due.duration_since(street.begun).as_secs_f64();
        people.spawn(Arc::clone(&street).live(number, due));
    }
    tokio::time::sleep_until(until.into()).await;
    people.shutdown().await;
    commands.send(Command::Stop).map_err(|_| anyhow!("the crowd's thread has ended"))?;
    crowd.join().map_err(|_| anyhow!("the crowd's thread panicked"))?;
    let mut found = std::mem::take(&mut *street.seen());
    found.connected = live.connected.load(Ordering::Relaxed);
    found.hearing = live.hearing.load(Ordering::Relaxed);
    found.tool_cores = (cpu_seconds() - cpu) / begun.elapsed().as_secs_f64();
    found.tool_peak_mebibytes = peak_mebibytes();
    Ok(found)
}

impl Street {
    fn seen(&self) -> MutexGuard<'_, Knocks> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// One person, from the street to the street.
    async fn live(self: Arc<Self>, number: usize, due: Instant) {
        if let Err(error) = self.come_and_go(number, due).await {
            let mut seen = self.seen();
            seen.failed += 1;
            if seen.failures.len() < TOLD {
                seen.failures.push(format!("{error:#}"));
            }
        }
    }

    async fn come_and_go(&self, number: usize, mut due: Instant) -> Result<()> {
        if self.plan.page {
            let page = self.plan.api.join(&format!("/r/{}", self.plan.room))?;
            self.http.get(page).send().await?.error_for_status()?.bytes().await?;
            let took = due.elapsed().as_secs_f64() * 1000.0;
            let now = self.now();
            self.seen().pages.push((now, took));
            due = Instant::now();
        }
        let now = self.now();
        self.seen().people[number].knocked = Some(now);
        let (mut ticket, mut slip) = (String::new(), String::new());
        let joined = loop {
            let answer = self.knock(number, &ticket, &slip, due).await?;
            let after = match answer {
                Answer::Seated(joined) => break joined,
                Answer::Place { position, ticket: newest, after } => {
                    self.seen().people[number].place.get_or_insert(position);
                    (ticket, slip) = (newest, String::new());
                    after
                }
                Answer::Refused { slip: newest, after } => {
                    slip = if newest.is_empty() { slip } else { newest };
                    after
                }
            };
            due = Instant::now() + after;
            tokio::time::sleep_until(due.into()).await;
        };
        let now = self.now();
        self.seen().people[number].seated = Some(now);
        self.listen(number, &joined).await
    }

    async fn knock(&self, number: usize, ticket: &str, slip: &str, due: Instant) -> Result<Answer> {
        let request = json!({"roomId": self.plan.room, "mayWait": true, "ticket": ticket, "slip": slip});
        let answer = self.call(number, "JoinRoom", request).await;
        let (now, took) = (self.now(), due.elapsed().as_secs_f64() * 1000.0);
        let mut seen = self.seen();
        seen.answers.push((now, took));
        seen.people[number].answered.get_or_insert(now);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let refused = error.downcast::<Refused>()?;
                let name = if refused.reason.is_empty() { refused.status.to_string() } else { refused.reason };
                *seen.refused.entry(name).or_default() += 1;
                let after = refused.retry_seconds.map_or(AGAIN, Duration::from_secs);
                return Ok(Answer::Refused { slip: refused.slip, after });
            }
        };
        let place = &answer["place"];
        if place.is_null() {
            return Ok(Answer::Seated(answer));
        }
        let after = place["knockAfter"].as_str().and_then(|text| text.strip_suffix('s')?.parse().ok());
        Ok(Answer::Place {
            position: place["position"].as_u64().context("a place without a number")?,
            ticket: place["ticket"].as_str().context("a place without a ticket")?.to_owned(),
            after: after.map_or(AGAIN, Duration::from_secs_f64),
        })
    }

    async fn listen(&self, number: usize, joined: &Value) -> Result<()> {
        let session = if self.plan.silent { None } else { self.open(number, joined).await? };
        tokio::time::sleep(self.plan.stay).await;
        if let Some((session, permit)) = session {
            leave(&self.http, &session, &permit).await?;
        }
        self.call(number, "LeaveRoom", json!({"roomId": self.plan.room})).await?;
        let now = self.now();
        self.seen().people[number].left = Some(now);
        Ok(())
    }

    /// A session, and what ends it.
    async fn open(&self, number: usize, joined: &Value) -> Result<Option<(Url, String)>> {
        let permit = joined["permit"]["permit"].as_str().context("no permit")?;
        let url = self.plan.api.join(joined["permit"]["path"].as_str().context("the permit names no path")?)?;
        let wanted = Wanted { hears: 1, red: false, speaks: false, ..Wanted::default() };
        let offered = offer(wanted, local_ip(&url, self.plan.bind).await?)?;
        let (answer, session) = post(1, &self.http, &url, permit, &offered).await?;
        let gone = Instant::now() + self.plan.stay + Duration::from_secs(1);
        let listener = Box::new(Listener::new(offered.accept(&answer)?, 0).until(gone));
        self.crowd.send(Command::Add(listener)).map_err(|_| anyhow!("the crowd's thread has ended"))?;
        let now = self.now();
        self.seen().people[number].entered = Some(now);
        Ok(session.map(|session| (session, permit.to_owned())))
    }

    async fn call(&self, number: usize, method: &str, request: Value) -> Result<Value> {
        let name = format!("room_directory.v1.RoomService/{method}");
        call(1, &self.http, &self.plan.api, &name, &self.plan.tokens[number], request).await
    }
}
