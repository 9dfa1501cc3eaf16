//! What each command does: command line to plan, plan to result, result to file and screen.

use crate::args::{
    EarArgs, FollowArgs, HearArgs, KnockArgs, ListenArgs, OutputArgs, RoomsArgs, SpeakArgs, read_tokens,
};
use crate::arrivals::{Arrivals, RoomPlan};
use crate::door::{Door, client, enter, exchange, leave};
use crate::follow::Following;
use crate::hear::{Loss, hear};
use crate::knock;
use crate::listen::{Plan, run};
use crate::mouth::mouth_to_ear;
use crate::peer::Wanted;
use crate::report::Report;
use crate::rooms::{Manner, Rooms, Stage};
use crate::sound::Sound;
use crate::voice::{Voice, speak};
use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Pitches of speakers without a file, hertz.
const TONES: [f32; 6] = [440.0, 700.0, 1130.0, 330.0, 880.0, 550.0];

/// `majlis-load listen`.
pub async fn listen(args: ListenArgs) -> Result<()> {
    let mut doors = args.door.doors(args.listeners)?;
    exchange_all(&mut doors, args.door.personal).await?;
    let room = args.door.room.clone().unwrap_or_default();
    let events = match (&args.events, &args.door.api) {
        (Some(path), Some(api)) => Some(api.join(&path.replace("{room}", &room))?),
        _ => None,
    };
    let stop = Arc::new(AtomicBool::new(false));
    let speakers = start_speakers(&args, &stop).await?;
    let plan = Plan {
        doors,
        rate: args.rate,
        concurrency: args.concurrency,
        window: Duration::from_secs_f64(args.seconds),
        settle: Duration::from_secs_f64(args.settle),
        poll: Duration::from_millis(args.poll_ms),
        sample: args.sample,
        events,
        red: args.red,
        tcp: args.tcp,
        stall: args.stall,
        bind: args.door.bind,
        leave: args.leave,
    };
    let report = run(plan, args.output.quiet).await;
    stop.store(true, Ordering::Relaxed);
    if let Some(thread) = speakers {
        thread.join().map_err(|_| anyhow!("the speakers' thread panicked"))??;
    }
    let report: Report = report?;
    tell(&report, &report.table(), &args.output)
}

type Speakers = std::thread::JoinHandle<Result<()>>;

async fn start_speakers(args: &ListenArgs, stop: &Arc<AtomicBool>) -> Result<Option<Speakers>> {
    let Some(path) = &args.speaker_tokens else { return Ok(None) };
    let tokens = read_tokens(path)?;
    let mut door = args.door.clone();
    (door.token, door.tokens) = (None, Some(path.clone()));
    if let Some(url) = &args.speaker_endpoint {
        (door.endpoint, door.api) = (Some(url.clone()), None);
    }
    let mut doors = door.doors(tokens.len())?;
    exchange_all(&mut doors, args.door.personal).await?;
    let http = client()?;
    let mut voices = Vec::new();
    for (number, door) in doors.iter().enumerate() {
        let wanted = Wanted { speaks: true, hears: 0, red: false, ..Wanted::default() };
        let sound = match &args.file {
            Some(file) => Sound::file(file)?,
            None => Sound::tone(TONES[number % TONES.len()], 0.15)?,
        };
        voices.push(Voice::new(enter(&http, door, wanted, args.door.bind).await?.peer, sound, false));
    }
    let stop = Arc::clone(stop);
    let thread = std::thread::Builder::new().name("speakers".into());
    Ok(Some(thread.spawn(move || speak(voices, &stop, None).map(drop))?))
}

/// `majlis-load hear`.
pub async fn hear_alone(args: HearArgs) -> Result<()> {
    let mut doors = args.door.doors(1)?;
    exchange_all(&mut doors, args.door.personal).await?;
    let http = client()?;
    let wanted = Wanted { hears: 1, red: args.red, speaks: false, ..Wanted::default() };
    let entered = enter(&http, &doors[0], wanted, args.door.bind).await?;
    let loss = Loss { share: args.loss / 100.0, seed: args.seed, settle: Duration::from_secs_f64(args.settle) };
    let (red, length, out) = (entered.peer.red(), Duration::from_secs_f64(args.seconds), args.out);
    let peer = entered.peer;
    let report = tokio::task::spawn_blocking(move || hear(peer, red, loss, length, out.as_deref())).await??;
    if let Some(session) = &entered.session {
        leave(&http, session, &entered.permit).await?;
    }
    let text = serde_json::to_string_pretty(&report)?;
    tell(&report, &text, &args.output)
}

/// `majlis-load speak`.
pub async fn speak_alone(args: SpeakArgs) -> Result<()> {
    let mut doors = args.door.doors(1)?;
    exchange_all(&mut doors, args.door.personal).await?;
    let http = client()?;
    let wanted = Wanted { speaks: true, hears: args.slots, red: false, ..Wanted::default() };
    let sound = match &args.file {
        Some(file) => Sound::file(file)?,
        None => Sound::tone(args.tone, args.amplitude)?,
    };
    let entered = enter(&http, &doors[0], wanted, args.door.bind).await?;
    let voice = Voice::new(entered.peer, sound, args.slots > 0);
    let until = Instant::now() + Duration::from_secs_f64(args.seconds);
    let speaking = move || speak(vec![voice], &AtomicBool::new(false), Some(until));
    let stages = tokio::task::spawn_blocking(speaking).await??;
    if let Some(session) = &entered.session {
        leave(&http, session, &entered.permit).await?;
    }
    let mut heard = BTreeMap::new();
    for (ssrc, mut ear) in stages.into_iter().flat_map(|stage| stage.ears) {
        heard.insert(ssrc, ear.finish());
        if let Some(prefix) = &args.out {
            ear.write(Path::new(&format!("{}-{ssrc}.wav", prefix.display())))?;
        }
    }
    let report = json!({"seconds": args.seconds, "heard": heard});
    tell(&report, &serde_json::to_string_pretty(&report)?, &args.output)
}

/// `majlis-load ear`.
pub async fn ear(args: EarArgs) -> Result<()> {
    let mut doors = args.door.doors(args.listeners + 1)?;
    exchange_all(&mut doors, args.door.personal).await?;
    let http = client()?;
    let mut sessions = Vec::new();
    for (number, door) in doors.iter().enumerate() {
        // On stage a session has a microphone, used or not.
        let speaks = number == 0 || args.stage;
        let wanted = Wanted { speaks, hears: if number == 0 { 0 } else { 1 }, red: false, ..Wanted::default() };
        sessions.push(enter(&http, door, wanted, args.door.bind).await?);
    }
    let (endings, mut peers): (Vec<_>, Vec<_>) =
        sessions.into_iter().map(|entered| ((entered.session, entered.permit), entered.peer)).unzip();
    let speaker = peers.remove(0);
    let (settle, length) = (Duration::from_secs_f64(args.settle), Duration::from_secs_f64(args.seconds));
    let measuring = tokio::task::spawn_blocking(move || mouth_to_ear(speaker, peers, settle, length));
    let report = measuring.await??;
    for (session, permit) in endings {
        if let Some(session) = session {
            leave(&http, &session, &permit).await?;
        }
    }
    tell(&report, &serde_json::to_string_pretty(&report.ear)?, &args.output)
}

/// `majlis-load knock`.
pub async fn knock(args: KnockArgs) -> Result<()> {
    let plan = knock::Plan {
        api: args.api,
        room: args.room,
        tokens: read_tokens(&args.tokens)?,
        rate: args.rate,
        length: Duration::from_secs_f64(args.seconds),
        stay: Duration::from_secs_f64(args.stay),
        page: args.page,
        silent: args.silent,
        bind: args.bind,
    };
    let found = knock::run(plan).await?;
    let seated = found.people.iter().filter(|person| person.seated.is_some()).count();
    let text = format!("{} people, {} answers, {seated} came in", found.people.len(), found.answers.len());
    tell(&found, &text, &args.output)
}

/// `majlis-load rooms`.
pub async fn rooms(args: RoomsArgs) -> Result<()> {
    let manner = Manner {
        poll: Duration::from_millis(args.poll_ms),
        ear_every: args.ear_every.max(1),
        keeps: args.out.is_some(),
        settle: Duration::from_secs_f64(args.settle),
        tones: args.tones,
    };
    let arrivals =
        Arrivals { api: args.api, rate: args.rate, concurrency: args.concurrency, tries: args.tries, bind: args.bind };
    let mut rooms = Rooms::new(manner, arrivals)?;
    while let Some(line) = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await? {
        let stage: Stage = serde_json::from_str(&line?).context("a stage is a line of JSON")?;
        let mut report = rooms.fill(&stage).await?;
        println!("{}", json!({"settled": report}));
        rooms.measure(&stage, &mut report).await?;
        println!("{}", json!({"measured": report}));
    }
    tokio::task::spawn_blocking(move || rooms.finish(args.out.as_deref())).await?
}

/// What somebody who follows rooms is told.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Rooms(Vec<RoomPlan>),
    Begin,
    Tell,
}

/// `majlis-load follow`.
pub async fn follow(args: FollowArgs) -> Result<()> {
    let mut following = Following::new(args)?;
    while let Some(line) = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await? {
        match serde_json::from_str(&line?).context("an order is a line of JSON")? {
            Order::Rooms(plans) => following.let_in(&plans).await?,
            Order::Begin => following.begin()?,
            Order::Tell => println!("{}", serde_json::to_string(&following.counted().await?)?),
        }
    }
    following.finish().await
}

async fn exchange_all(doors: &mut [Door], personal: bool) -> Result<()> {
    let http = client()?;
    for door in doors.iter_mut().filter(|_| personal) {
        if let Door::Room { api, token, .. } = door {
            *token = exchange(&http, api, token).await.context("a personal token was not accepted")?;
        }
    }
    Ok(())
}

fn tell(report: &impl Serialize, table: &str, output: &OutputArgs) -> Result<()> {
    if let Some(path) = &output.json {
        let text = serde_json::to_string_pretty(report)?;
        if path.as_os_str() == "-" {
            println!("{text}");
            return Ok(());
        }
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    if !output.quiet {
        println!("{table}");
    }
    Ok(())
}
