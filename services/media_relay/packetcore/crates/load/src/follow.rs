//! People who follow their room as clients do: an event stream each, and another session when sound is to be had
//! elsewhere, or was lost.

use crate::args::FollowArgs;
use crate::arrivals::RoomPlan;
use crate::door::{Door, Entered, client, enter, enter_again, leave};
use crate::followers::{Add, Command, Counted, Note, start};
use crate::peer::Wanted;
use crate::sound::Sound;
use crate::usage::allow_files;
use anyhow::{Context, Result, anyhow, ensure};
use futures_util::StreamExt;
use reqwest::header::ACCEPT;
use reqwest::{Client, Url};
use serde_json::Value;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// A tone for each room, hertz.
const TONES: [f32; 6] = [440.0, 700.0, 1130.0, 330.0, 880.0, 550.0];
/// The first wait after a refusal or a loss, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));
/// Longest that somebody who came in holds their place among those coming in.
const DOORWAY: Duration = Duration::from_secs(5);

/// Everybody who follows.
pub struct Following {
    api: Url,
    bind: Option<IpAddr>,
    tcp: bool,
    rate: f64,
    doorway: Arc<Semaphore>,
    http: Client,
    streaming: Client,
    crowd: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
    people: JoinSet<()>,
    rooms: usize,
}

struct Person {
    number: usize,
    door: Door,
    events: Url,
    wanted: Wanted,
    bind: Option<IpAddr>,
    http: Client,
    streaming: Client,
    crowd: mpsc::Sender<Command>,
    notes: UnboundedReceiver<Note>,
    place: Option<OwnedSemaphorePermit>,
}

/// A session to end later.
struct Ending {
    session: Option<Url>,
    permit: String,
}

impl Ending {
    fn is_on(&self, relay: &str) -> bool {
        let of = self.session.as_ref().and_then(|url| url.path().split("/media/").nth(1)?.split('/').next());
        relay.is_empty() || of == Some(relay)
    }
}

/// Sound on a relay, on all where it is empty, is to be had elsewhere.
struct Moved {
    relay: String,
    spread: Duration,
}

impl Following {
    /// Nobody yet.
    pub fn new(args: FollowArgs) -> Result<Self> {
        let (crowd, commands) = mpsc::channel();
        Ok(Self {
            thread: start(Duration::from_millis(args.poll_ms), commands)?,
            doorway: Arc::new(Semaphore::new(args.concurrency)),
            http: client()?,
            streaming: crate::events::client()?,
            people: JoinSet::new(),
            rooms: 0,
            api: args.api,
            bind: args.bind,
            tcp: args.tcp,
            rate: args.rate,
            crowd,
        })
    }

    /// Lets people in at the set pace, the speakers of each room first; they come until they are in.
    pub async fn let_in(&mut self, plans: &[RoomPlan]) -> Result<()> {
        let coming: usize = plans.iter().map(|plan| plan.speakers.len() + plan.listeners.len()).sum();
        // A socket, an event stream, and another socket while they move.
        allow_files(3 * (self.people.len() + coming) as u64 + 256)?;
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / self.rate.max(0.1)));
        for plan in plans {
            let room = self.rooms;
            self.rooms += 1;
            let people = plan.speakers.iter().map(|token| (token, true));
            for (token, speaks) in people.chain(plan.listeners.iter().map(|token| (token, false))) {
                pace.tick().await;
                let place = Arc::clone(&self.doorway).acquire_owned().await?;
                let says = if speaks { Some(Sound::tone(TONES[room % TONES.len()], 0.15)?) } else { None };
                let (told, notes) = unbounded_channel();
                let number = self.people.len();
                self.tell(Command::Add(Add { room, says, notes: told }))?;
                let door = Door::Room {
                    api: self.api.clone(),
                    room: plan.room.clone(),
                    token: token.clone(),
                    understands: plan.understands.clone(),
                };
                let person = Person {
                    number,
                    door,
                    events: self.api.join(&format!("/events/{}", plan.room))?,
                    wanted: Wanted { speaks, hears: usize::from(!speaks), tcp: self.tcp, ..Wanted::default() },
                    bind: self.bind,
                    http: self.http.clone(),
                    streaming: self.streaming.clone(),
                    crowd: self.crowd.clone(),
                    notes,
                    place: Some(place),
                };
                self.people.spawn(person.live());
            }
        }
        Ok(())
    }

    /// Counts from now.
    pub fn begin(&self) -> Result<()> {
        self.tell(Command::Begin)
    }

    /// What was counted since the beginning, of each listener.
    pub async fn counted(&self) -> Result<Vec<Counted>> {
        let (answer, told) = mpsc::channel();
        self.tell(Command::Tell(answer))?;
        Ok(tokio::task::spawn_blocking(move || told.recv()).await??)
    }

    /// Ends all at once.
    pub async fn finish(mut self) -> Result<()> {
        self.people.abort_all();
        self.tell(Command::Stop)?;
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.join()).await?.map_err(|_| anyhow!("the thread panicked"))
    }

    fn tell(&self, command: Command) -> Result<()> {
        self.crowd.send(command).map_err(|_| anyhow!("the followers' thread has ended"))
    }
}

impl Person {
    /// Comes in, and goes on until the task is dropped.
    async fn live(mut self) {
        let (told, mut moves) = unbounded_channel();
        let (mut present, mut coming, mut streams) = (None::<Ending>, None::<Ending>, JoinSet::new());
        let (mut next, mut wait) = (Some(Instant::now()), WAITS.0);
        // Not for ever: some handshakes may never be done.
        let mut doorway = None::<Instant>;
        loop {
            let due = next.filter(|_| coming.is_none());
            tokio::select! {
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    match self.come(!streams.is_empty()).await {
                        Ok(ending) => {
                            (coming, next) = (Some(ending), None);
                            doorway = doorway.or_else(|| Some(Instant::now() + DOORWAY));
                            if streams.is_empty() {
                                let (client, url, token) = (self.streaming.clone(), self.events.clone(), self.door.token());
                                streams.spawn(watch(client, url, token.to_owned(), told.clone()));
                            }
                        }
                        Err(_) => (next, wait) = later(wait),
                    }
                }
                Some(note) = self.notes.recv() => match note {
                    Note::TookOver => {
                        wait = WAITS.0;
                        self.place = None;
                        if let Some(before) = std::mem::replace(&mut present, coming.take()) {
                            let http = self.http.clone();
                            tokio::spawn(async move { before.end(&http).await });
                        }
                    }
                    Note::Failed => {
                        coming = None;
                        (next, wait) = later(wait);
                    }
                    Note::Lost if coming.is_none() && next.is_none() => (next, wait) = later(wait),
                    Note::Lost => {}
                },
                () = sleep_until(doorway.unwrap_or_else(Instant::now)), if doorway.is_some() && self.place.is_some() => {
                    self.place = None;
                }
                Some(moved) = moves.recv() => {
                    if coming.as_ref().or(present.as_ref()).is_some_and(|ending| ending.is_on(&moved.relay)) {
                        next = Some(Instant::now() + moved.spread.mul_f64(share()));
                    }
                }
            }
        }
    }

    async fn come(&mut self, again: bool) -> Result<Ending> {
        let Entered { peer, session, permit } = if again {
            enter_again(&self.http, &self.door, self.wanted, self.bind).await?
        } else {
            enter(&self.http, &self.door, self.wanted, self.bind).await?
        };
        let coming = Command::Coming(self.number, Box::new(peer));
        self.crowd.send(coming).map_err(|_| anyhow!("the followers' thread has ended"))?;
        Ok(Ending { session, permit })
    }
}

impl Ending {
    async fn end(self, http: &Client) {
        if let Some(session) = &self.session {
            // A relay that is gone has ended it already.
            let _ = leave(http, session, &self.permit).await;
        }
    }
}

/// When to try again, and how long to wait after that.
fn later(wait: Duration) -> (Option<Instant>, Duration) {
    (Some(Instant::now() + wait.mul_f64(share())), (wait * 2).min(WAITS.1))
}

/// A number from 0 to 1, at random.
fn share() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// Reads the room's events for ever, from where they stopped, and tells of sound that moves.
async fn watch(client: Client, url: Url, token: String, moves: UnboundedSender<Moved>) {
    let mut last = String::new();
    loop {
        // Why it ended does not matter: it is opened again.
        let _ = read(&client, url.clone(), &token, &mut last, &moves).await;
        sleep(WAITS.0 + Duration::from_secs(1).mul_f64(share())).await;
    }
}

async fn read(client: &Client, url: Url, token: &str, last: &mut String, moves: &UnboundedSender<Moved>) -> Result<()> {
    let mut request = client.get(url).bearer_auth(token).header(ACCEPT, "text/event-stream");
    if !last.is_empty() {
        request = request.header("Last-Event-ID", last.as_str());
    }
    let response = request.send().await?;
    ensure!(response.status().is_success(), "{}", response.status());
    let (mut body, mut text) = (response.bytes_stream(), Vec::new());
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk?);
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            take(&String::from_utf8_lossy(&event), last, moves)?;
        }
    }
    Ok(())
}

fn take(event: &str, last: &mut String, moves: &UnboundedSender<Moved>) -> Result<()> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    if let Some(id) = field("id: ") {
        id.clone_into(last);
    }
    if field("event: ") != Some("media_moved") {
        return Ok(());
    }
    let data: Value = serde_json::from_str(field("data: ").unwrap_or_default())?;
    let moved = &data["mediaMoved"];
    let spread = Duration::from_millis(moved["spreadMilliseconds"].as_u64().unwrap_or(0));
    let relay = moved["relayId"].as_str().unwrap_or_default().to_owned();
    moves.send(Moved { relay, spread }).context("nobody follows any more")
}
