//! Many rooms at once: people come in stage by stage, and each stage is measured for a while.

use crate::arrivals::{Arrivals, Refusals, RoomPlan};
use crate::crowd::{Command, CrowdReport, Ended, Live, start};
use crate::ear::Ear;
use crate::report::Spread;
use crate::talker::{self, Talk, Talker, Talking};
use crate::usage::{allow_files, cpu_seconds};
use anyhow::{Result, anyhow};
use majlis_speech::{Track, Voice, at_microphone, conversation};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Share of the time in which two people who talk in turn both speak.
const OVERLAP: f64 = 0.05;
/// How far apart rooms are in what is said, in 20 ms.
const APART: u64 = 367;
/// A tone for each room, hertz.
const TONES: [f32; 6] = [440.0, 700.0, 1130.0, 330.0, 880.0, 550.0];

/// People who come in before a stage is measured; a room that is there already gets more.
#[derive(Debug, Clone, Deserialize)]
pub struct Stage {
    /// The rooms.
    #[serde(default)]
    pub rooms: Vec<RoomPlan>,
    /// Seconds measured once all hear.
    pub seconds: f64,
    /// Counts from before they come: what those who are there lose to it.
    #[serde(default)]
    pub meanwhile: bool,
}

/// How a run goes.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How often settled sockets are polled.
    pub poll: Duration,
    /// Every how many listeners one decodes what he hears.
    pub ear_every: usize,
    /// Keeps what they hear, to be written.
    pub keeps: bool,
    /// Seconds in which all must hear.
    pub settle: Duration,
    /// Each room says its own tone instead of speech.
    pub tones: bool,
}

/// What a stage found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StageReport {
    /// Rooms so far.
    pub rooms: usize,
    /// Listeners and speakers asked for in this stage.
    pub asked: u64,
    /// Joins of this stage that failed for another reason than being refused.
    pub failed: u64,
    /// Why the first of them did.
    pub failures: Vec<String>,
    /// Refusals of this stage, by reason.
    pub refused: BTreeMap<String, Refusals>,
    /// Listeners let in so far.
    pub admitted: u64,
    /// Listeners who have heard something.
    pub hearing: u64,
    /// Listeners whose sessions ended by themselves.
    pub ended: u64,
    /// Speakers whose sessions stand.
    pub speakers: u64,
    /// Why speakers' sessions ended.
    pub speakers_ended: Vec<String>,
    /// From the first join until all heard, s.
    pub all_hearing_seconds: Option<f64>,
    /// Length of the measured window, s.
    pub seconds: f64,
    /// Packets listeners got.
    pub received: u64,
    /// Of those that the sequence numbers promised, never came.
    pub lost: u64,
    /// Lost by the listener who lost most.
    pub worst_lost: u64,
    /// Listeners who got nothing.
    pub deaf: u64,
    /// Times nothing came for more than half a second within a talk.
    pub interruptions: u64,
    /// Frames that listeners had to make up: never came, by header.
    pub missing_frames: u64,
    /// Frames that came too late to be played, by header.
    pub late_frames: u64,
    /// Frames in which somebody spoke, times listeners.
    pub owed_frames: u64,
    /// Of these, frames for which no packet came.
    pub unheard_frames: u64,
    /// Packets per second of all.
    pub packets_per_second: f64,
    /// Packets that speakers said.
    pub spoken_packets: u64,
    /// Packets not said because this tool stood still.
    pub skipped_packets: u64,
    /// Arrival in the kernel minus capture time.
    pub forward_delay: Spread,
    /// Listeners who decoded.
    pub ears: usize,
    /// Frames they heard.
    pub ear_frames: u64,
    /// Frames they made up.
    pub ear_concealed: u64,
    /// CPU of this tool in the window, share of a core.
    pub tool_cores: f64,
}

/// Rooms full of people.
pub struct Rooms {
    manner: Manner,
    arrivals: Arrivals,
    live: Arc<Live>,
    crowd: mpsc::Sender<Command>,
    crowd_thread: JoinHandle<Ended>,
    talking: Arc<Talking>,
    talkers: mpsc::Sender<Talker>,
    talkers_thread: JoinHandle<()>,
    library: Library,
    /// Number and talk of each room.
    rooms: HashMap<String, (usize, Arc<Talk>)>,
    admitted: u64,
}

/// What can be said.
struct Library {
    alone: [Arc<Track>; 2],
    together: [Arc<Track>; 2],
}

impl Library {
    fn new() -> Result<Self> {
        let voices = [Voice::First.samples()?, Voice::Second.samples()?];
        let together = conversation(&voices[0], &voices[1], OVERLAP)?;
        let track = |samples: &[f32]| anyhow::Ok(Arc::new(Track::new(samples)?));
        let [first, second] = voices;
        Ok(Self {
            alone: [track(&at_microphone(first, 3))?, track(&at_microphone(second, 4))?],
            together: [track(&together[0])?, track(&together[1])?],
        })
    }

    /// What is said in a room, from a place of its own.
    fn talk(&self, number: usize, tones: bool) -> Result<Talk> {
        let alone = match tones {
            true => Arc::new(Track::new(&tone(TONES[number % TONES.len()]))?),
            false => Arc::clone(&self.alone[number % 2]),
        };
        let together = if tones { [Arc::clone(&alone), Arc::clone(&alone)] } else { self.together.clone() };
        // Phases differ by a prime number of microseconds, so that no two rooms are in step.
        let ahead = Duration::from_micros(20_000 * APART * number as u64 + 7_919 * number as u64 % 20_000);
        let began = Instant::now().checked_sub(ahead).unwrap_or_else(Instant::now);
        Ok(Talk { alone, together, began, speakers: AtomicUsize::new(0), spoken: AtomicU64::new(0) })
    }
}

/// One second; whole hertz are seamless.
fn tone(hertz: f32) -> Vec<f32> {
    let step = std::f64::consts::TAU * f64::from(hertz) / 48_000.0;
    (0..48_000).map(|n| 0.15 * (step * f64::from(n)).sin() as f32).collect()
}

impl Rooms {
    /// Rooms with nobody in them yet.
    pub fn new(manner: Manner, arrivals: Arrivals) -> Result<Self> {
        let (live, talking) = (Arc::new(Live::default()), Arc::new(Talking::default()));
        let (crowd, commands) = mpsc::channel();
        let (talkers, joining) = mpsc::channel();
        Ok(Self {
            // Whoever has no ear is only counted.
            crowd_thread: start(Arc::clone(&live), manner.poll, usize::MAX, commands)?,
            talkers_thread: talker::start(Arc::clone(&talking), joining)?,
            library: Library::new()?,
            rooms: HashMap::new(),
            admitted: 0,
            manner,
            arrivals,
            live,
            crowd,
            talking,
            talkers,
        })
    }

    /// Lets a stage's people in and waits until they hear.
    pub async fn fill(&mut self, stage: &Stage) -> Result<StageReport> {
        let begun = Instant::now();
        let mut report = StageReport::default();
        if stage.meanwhile {
            self.tell_crowd(Command::BeginWindow)?;
        }
        for plan in &stage.rooms {
            if !self.rooms.contains_key(&plan.room) {
                let number = self.rooms.len();
                let talk = self.library.talk(number, self.manner.tones)?;
                self.rooms.insert(plan.room.clone(), (number, Arc::new(talk)));
            }
            report.asked += (plan.speakers.len() + plan.listeners.len()) as u64;
        }
        allow_files(2 * (self.admitted + report.asked) + 256)?;
        let (crowd, talkers, rooms) = (&self.crowd, &self.talkers, &self.rooms);
        let (admitted, manner) = (&mut self.admitted, &self.manner);
        let outcome = self.arrivals.let_in(&stage.rooms, &self.live, |arrived| {
            let (number, talk) = &rooms[&arrived.room];
            if let Some(speaker) = arrived.speaks {
                let talker = Talker::new(arrived.peer, Arc::clone(talk), speaker);
                return talkers.send(talker).map_err(|_| anyhow!("the speakers' thread has ended"));
            }
            let red = arrived.peer.red();
            let mut listener = crate::crowd::Listener::new(arrived.peer, *number);
            if (*admitted as usize).is_multiple_of(manner.ear_every) {
                listener = listener.with_ear(if manner.keeps { Ear::new(red)? } else { Ear::forgetful(red)? });
            }
            *admitted += 1;
            crowd.send(Command::Add(Box::new(listener))).map_err(|_| anyhow!("the crowd's thread has ended"))
        });
        let outcome = outcome.await?;
        (report.failed, report.failures, report.refused) = (outcome.failed, outcome.failures, outcome.refused);
        report.all_hearing_seconds = self.settle(begun).await;
        self.note(&mut report);
        Ok(report)
    }

    /// Waits until everyone let in hears; gives the time since `begun`, none when some do not in time.
    async fn settle(&self, begun: Instant) -> Option<f64> {
        let until = Instant::now() + self.manner.settle;
        while Instant::now() < until {
            let (hearing, ended) = (&self.live.hearing, &self.live.ended);
            if hearing.load(Ordering::Relaxed) + ended.load(Ordering::Relaxed) >= self.admitted {
                return Some(begun.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// Counts for a stage's while.
    pub async fn measure(&self, stage: &Stage, report: &mut StageReport) -> Result<()> {
        let spoken = || self.rooms.values().map(|(number, talk)| (*number, talk.spoken.load(Ordering::Relaxed)));
        let said = || (self.talking.packets.load(Ordering::Relaxed), self.talking.skipped.load(Ordering::Relaxed));
        if !stage.meanwhile {
            self.tell_crowd(Command::BeginWindow)?;
        }
        let (before, said_before, cpu): (HashMap<usize, u64>, _, _) = (spoken().collect(), said(), cpu_seconds());
        let began = Instant::now();
        tokio::time::sleep(Duration::from_secs_f64(stage.seconds)).await;
        let after: HashMap<usize, u64> = spoken().map(|(room, count)| (room, count - before[&room])).collect();
        report.tool_cores = (cpu_seconds() - cpu) / began.elapsed().as_secs_f64();
        report.spoken_packets = said().0 - said_before.0;
        report.skipped_packets = said().1 - said_before.1;
        let (answer, told) = mpsc::channel();
        self.tell_crowd(Command::Tell(answer))?;
        let seen = tokio::task::spawn_blocking(move || told.recv()).await??;
        // What is owed to somebody who came meanwhile is not known.
        report.take(&seen, &if stage.meanwhile { HashMap::new() } else { after });
        self.note(report);
        Ok(())
    }

    /// Ends, and writes what was heard into a folder, one file for each listener with an ear.
    pub fn finish(self, folder: Option<&Path>) -> Result<()> {
        drop(self.talkers);
        self.talkers_thread.join().map_err(|_| anyhow!("the speakers' thread panicked"))?;
        self.crowd.send(Command::Stop).map_err(|_| anyhow!("the crowd's thread has ended"))?;
        let ended = self.crowd_thread.join().map_err(|_| anyhow!("the crowd's thread panicked"))?;
        let names: HashMap<usize, &String> = self.rooms.iter().map(|(name, (number, _))| (*number, name)).collect();
        for (at, (room, mut ear)) in ended.ears.into_iter().enumerate() {
            ear.finish();
            if let Some(folder) = folder {
                ear.write(&folder.join(format!("{}-{at}.wav", names[&room])))?;
            }
        }
        Ok(())
    }

    fn tell_crowd(&self, command: Command) -> Result<()> {
        self.crowd.send(command).map_err(|_| anyhow!("the crowd's thread has ended"))
    }

    fn note(&self, report: &mut StageReport) {
        report.rooms = self.rooms.len();
        report.admitted = self.admitted;
        report.hearing = self.live.hearing.load(Ordering::Relaxed);
        report.ended = self.live.ended.load(Ordering::Relaxed);
        report.speakers = self.talking.connected.load(Ordering::Relaxed);
        if let Ok(ended) = self.talking.ended.lock() {
            report.speakers -= (ended.len() as u64).min(report.speakers);
            report.speakers_ended = ended.iter().take(5).cloned().collect();
        }
    }
}

impl StageReport {
    fn take(&mut self, seen: &CrowdReport, spoken: &HashMap<usize, u64>) {
        self.seconds = seen.seconds;
        self.received = seen.totals.received;
        self.lost = seen.totals.lost();
        self.worst_lost = seen.worst_lost;
        self.deaf = seen.deaf;
        self.interruptions = seen.totals.interruptions;
        self.packets_per_second = seen.totals.received as f64 / seen.seconds.max(0.001);
        self.forward_delay = Spread::from(&seen.delays);
        for (room, heard) in &seen.rooms {
            let owed = spoken.get(room).copied().unwrap_or(0);
            self.missing_frames += heard.missing;
            self.late_frames += heard.late;
            self.owed_frames += owed * heard.received.len() as u64;
            self.unheard_frames += heard.received.iter().map(|received| owed.saturating_sub(*received)).sum::<u64>();
        }
        self.ears = seen.ears.len();
        self.ear_frames = seen.ears.iter().map(|heard| heard.frames).sum();
        self.ear_concealed = seen.ears.iter().map(|heard| heard.concealed).sum();
    }
}
