//! Speakers of many rooms in one thread: each replays packets that were encoded once, on its room's own clock.

use crate::peer::{Peer, Said, Sink, State};
use crate::receive::Receiver;
use crate::wire::RtpView;
use majlis_speech::Track;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

pub(crate) const SLOT: Duration = Duration::from_millis(20);
/// A speaker's socket is looked at that often while it connects, and with each packet afterwards.
const CONNECTING: Duration = Duration::from_millis(5);
/// Packets said late that are still said; a tool that stood longer goes on with what is due.
const BACKLOG: u64 = 10;

/// What is said in a room, and when.
#[derive(Debug)]
pub struct Talk {
    /// What a speaker alone says.
    pub alone: Arc<Track>,
    /// What two say to each other.
    pub together: [Arc<Track>; 2],
    /// When the room's first 20 ms began.
    pub began: Instant,
    /// Speakers whose sessions stand.
    pub speakers: AtomicUsize,
    /// 20 ms in which somebody spoke.
    pub spoken: AtomicU64,
}

/// Somebody who speaks.
pub struct Talker {
    peer: Peer,
    talk: Arc<Talk>,
    /// Which of the room; even ones say the same, and odd ones do.
    number: usize,
    next: Option<u64>,
    looked: Instant,
    sequence: u64,
}

/// What is known of all while they speak.
#[derive(Debug, Default)]
pub struct Talking {
    /// Sessions that stand.
    pub connected: AtomicU64,
    /// Packets said.
    pub packets: AtomicU64,
    /// Packets never said because the tool itself stood still.
    pub skipped: AtomicU64,
    /// Why sessions ended by themselves.
    pub ended: Mutex<Vec<String>>,
}

struct Deaf;

impl Sink for Deaf {
    fn arrived(&mut self, _: &RtpView<'_>, _: u64, _: u8) -> bool {
        true
    }

    fn decrypted(&mut self, _: RtpPacket) {}
}

impl Talker {
    /// A speaker of a room.
    pub fn new(peer: Peer, talk: Arc<Talk>, number: usize) -> Self {
        Self { peer, talk, number, next: None, looked: Instant::now(), sequence: 1000 }
    }

    fn due(&self) -> Instant {
        match self.next {
            Some(slot) => self.talk.began + SLOT * slot as u32,
            None => self.looked + CONNECTING,
        }
    }

    fn turn(&mut self, now: Instant, receiver: &mut Receiver, talking: &Talking) {
        self.looked = now;
        self.peer.pump(now, receiver, &mut Deaf);
        if self.peer.state != State::Connected {
            return;
        }
        let current = (now.saturating_duration_since(self.talk.began).as_millis() / SLOT.as_millis()) as u64;
        let mut slot = *self.next.get_or_insert_with(|| {
            self.talk.speakers.fetch_add(1, Ordering::Relaxed);
            talking.connected.fetch_add(1, Ordering::Relaxed);
            current
        });
        if slot + BACKLOG < current {
            talking.skipped.fetch_add(current - slot, Ordering::Relaxed);
            slot = current;
        }
        while slot <= current {
            self.say(slot, talking);
            slot += 1;
        }
        self.next = Some(slot);
    }

    fn say(&mut self, slot: u64, talking: &Talking) {
        let talk = Arc::clone(&self.talk);
        let alone = talk.speakers.load(Ordering::Relaxed) < 2;
        let track = if alone { &talk.alone } else { &talk.together[self.number % 2] };
        let Some(packet) = track.at(slot) else { return };
        let said = Said {
            sequence: self.sequence,
            timestamp: (slot as u32).wrapping_mul(majlis_speech::PACKET as u32),
            marker: packet.first,
            level: packet.level,
            payload: &packet.payload,
        };
        self.peer.say(&said, &mut Deaf);
        self.sequence += 1;
        talking.packets.fetch_add(1, Ordering::Relaxed);
        // What both say at once is one 20 ms of sound.
        let other_speaks = || talk.together[0].at(slot).is_some_and(majlis_speech::Packet::loud);
        if packet.loud() && (self.number == 0 || !other_speaks()) {
            talk.spoken.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Starts the speakers' thread; it ends when `joining` does.
pub fn start(talking: Arc<Talking>, joining: mpsc::Receiver<Talker>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("talkers".into()).spawn(move || {
        let mut receiver = Receiver::default();
        let mut talkers: Vec<Talker> = Vec::new();
        loop {
            match joining.try_recv() {
                Ok(talker) => talkers.push(talker),
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
            let now = Instant::now();
            talkers.iter_mut().filter(|talker| talker.due() <= now).for_each(|talker| {
                talker.turn(now, &mut receiver, &talking);
            });
            talkers.retain(|talker| stays(talker, &talking));
            let due = talkers.iter().map(Talker::due).min();
            let pause = due.map_or(CONNECTING, |due| due.saturating_duration_since(Instant::now()));
            std::thread::sleep(pause.min(CONNECTING));
        }
    })
}

fn stays(talker: &Talker, talking: &Talking) -> bool {
    let State::Ended(reason) = &talker.peer.state else { return true };
    if let Ok(mut ended) = talking.ended.lock() {
        ended.push(reason.clone());
    }
    talker.talk.speakers.fetch_sub(usize::from(talker.next.is_some()), Ordering::Relaxed);
    false
}
