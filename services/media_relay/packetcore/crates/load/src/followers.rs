//! Followers' sessions in one thread: each keeps the one it has until the next one carries sound, and counts gaps.

use crate::peer::{Peer, Said, Sink, State};
use crate::receive::{Receiver, ntp_difference_ms, ntp_now};
use crate::sound::Sound;
use crate::wire::RtpView;
use serde::Serialize;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;
use tokio::sync::mpsc::UnboundedSender;

/// How often sessions that come up, and speakers, are looked at.
const TURN: Duration = Duration::from_millis(4);
/// A session that is not connected by then comes to nothing.
const CONNECT: Duration = Duration::from_secs(8);
/// Where nobody speaks the next session carries no sound either: after so long it has taken over all the same.
const SILENT: Duration = Duration::from_secs(1);
/// Who heard something within it hears, ms.
const HEARS_MS: f64 = 500.0;
/// Packets that a thread that stood still says late; more are left out.
const BACKLOG: u32 = 25;

/// What the thread is told.
pub enum Command {
    /// Another follower, the next number from 0.
    Add(Add),
    /// A session that comes up for the follower of that number.
    Coming(usize, Box<Peer>),
    /// Counts from now.
    Begin,
    /// What has been counted.
    Tell(mpsc::Sender<Vec<Counted>>),
    /// The end.
    Stop,
}

/// A new follower.
pub struct Add {
    /// The number of the room.
    pub room: usize,
    /// What a speaker says; a listener says nothing.
    pub says: Option<Sound>,
    /// Told of its sessions.
    pub notes: UnboundedSender<Note>,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The one that came up carries sound: the one before is let go of.
    TookOver,
    /// The one that came up came to nothing.
    Failed,
    /// The present one ended.
    Lost,
}

/// What was counted of one follower since the beginning.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// The number of the room.
    pub room: usize,
    /// Whether it is a speaker, who hears nothing.
    pub speaks: bool,
    /// The longest wait for a packet, s.
    pub gap: f64,
    /// Packets.
    pub received: u64,
    /// Whether a packet came within the last half second.
    pub hears: bool,
    /// Sessions so far.
    pub sessions: u32,
    /// The relay's address.
    pub from: String,
}

/// Arrivals over all sessions of a listener, NTP 32.32.
#[derive(Default)]
struct Arrivals {
    last: Option<u64>,
    longest_ms: f64,
    received: u64,
}

impl Sink for Arrivals {
    fn arrived(&mut self, _: &RtpView<'_>, arrival: u64, _: u8) -> bool {
        if let Some(last) = self.last {
            self.longest_ms = self.longest_ms.max(ntp_difference_ms(arrival, last));
        }
        self.last = Some(self.last.map_or(arrival, |last| last.max(arrival)));
        self.received += 1;
        true
    }

    fn decrypted(&mut self, _: RtpPacket) {}
}

struct Follower {
    room: usize,
    says: Option<Saying>,
    notes: UnboundedSender<Note>,
    present: Option<Box<Peer>>,
    coming: Option<Box<Peer>>,
    sessions: u32,
    arrivals: Arrivals,
}

struct Saying {
    sound: Sound,
    sequence: u64,
    timestamp: u32,
    next: Option<Instant>,
}

impl Follower {
    fn new(add: Add) -> Self {
        let says = add.says.map(|sound| Saying { sound, sequence: 1000, timestamp: 0, next: None });
        let (room, notes) = (add.room, add.notes);
        Self { room, says, notes, present: None, coming: None, sessions: 0, arrivals: Arrivals::default() }
    }

    fn note(&self, note: Note) {
        // Nobody is told in the end, when the follower itself is gone.
        let _ = self.notes.send(note);
    }

    fn look_at_coming(&mut self, receiver: &mut Receiver) {
        let Some(coming) = &mut self.coming else { return };
        coming.pump(Instant::now(), receiver, &mut self.arrivals);
        let stands = match (&coming.state, coming.connected) {
            (State::Ended(_), _) => return self.give_up(),
            (State::Connected, Some(since)) => {
                self.says.is_some() || coming.heard.is_some() || since.elapsed() > SILENT || self.present.is_none()
            }
            _ if coming.offered.elapsed() > CONNECT => return self.give_up(),
            _ => false,
        };
        if stands {
            self.present = self.coming.take();
            self.sessions += 1;
            self.note(Note::TookOver);
        }
    }

    fn give_up(&mut self) {
        self.coming = None;
        self.note(Note::Failed);
    }

    fn look_at_present(&mut self, receiver: &mut Receiver) {
        let Some(present) = &mut self.present else { return };
        present.pump(Instant::now(), receiver, &mut self.arrivals);
        if matches!(present.state, State::Ended(_)) {
            self.present = None;
            self.note(Note::Lost);
        }
    }

    fn say(&mut self, now: Instant) {
        let (Some(saying), Some(present)) = (&mut self.says, &mut self.present) else { return };
        let mut due = *saying.next.get_or_insert(now);
        if due + crate::talker::SLOT * BACKLOG < now {
            due = now;
        }
        while due <= now {
            let Ok(spoken) = saying.sound.say() else { return };
            let said = Said {
                sequence: saying.sequence,
                timestamp: saying.timestamp,
                marker: spoken.first,
                level: spoken.level,
                payload: &spoken.payload,
            };
            present.say(&said, &mut self.arrivals);
            saying.sequence += 1;
            saying.timestamp = saying.timestamp.wrapping_add(spoken.samples as u32);
            due += Duration::from_micros(spoken.samples as u64 * 1_000_000 / 48_000);
        }
        saying.next = Some(due);
    }

    fn counted(&self, now: u64) -> Counted {
        let silent = self.arrivals.last.map_or(f64::INFINITY, |last| ntp_difference_ms(now, last));
        Counted {
            room: self.room,
            speaks: self.says.is_some(),
            // A packet that is on its way just now is no gap.
            gap: self.arrivals.longest_ms.max(silent.min(1e9)) / 1000.0,
            received: self.arrivals.received,
            hears: silent < HEARS_MS,
            sessions: self.sessions,
            from: self.present.as_ref().map_or_else(String::new, |peer| peer.remote().to_string()),
        }
    }
}

/// Starts the thread: listeners' sockets are polled each `poll`, the kernel says when packets came.
pub fn start(poll: Duration, commands: mpsc::Receiver<Command>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("followers".into()).spawn(move || {
        let (mut followers, mut receiver) = (Vec::<Follower>::new(), Receiver::default());
        let mut next = Instant::now();
        loop {
            for command in commands.try_iter() {
                match command {
                    Command::Add(add) => followers.push(Follower::new(add)),
                    Command::Coming(number, mut peer) => {
                        peer.samples_every_packet(false);
                        followers[number].coming = Some(peer);
                    }
                    Command::Begin => {
                        followers.iter_mut().for_each(|each| each.look_at_present(&mut receiver));
                        for each in &mut followers {
                            (each.arrivals.longest_ms, each.arrivals.received) = (0.0, 0);
                        }
                    }
                    Command::Tell(answer) => {
                        followers.iter_mut().for_each(|each| each.look_at_present(&mut receiver));
                        let now = ntp_now();
                        // Who does not wait for the answer does not miss it.
                        let _ = answer.send(followers.iter().map(|each| each.counted(now)).collect());
                    }
                    Command::Stop => return,
                }
            }
            let all = next <= Instant::now();
            if all {
                next = Instant::now() + poll;
            }
            for each in &mut followers {
                each.look_at_coming(&mut receiver);
                if all || each.says.is_some() {
                    each.look_at_present(&mut receiver);
                    each.say(Instant::now());
                }
            }
            std::thread::sleep(TURN);
        }
    })
}
