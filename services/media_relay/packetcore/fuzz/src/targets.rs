//! What is fuzzed: each target takes any bytes and must neither panic nor break what it asserts.

use majlis_core::endpoint::{Command, Endpoint, Event, Sink, StageFact, StageFormat, StageMedia};
use majlis_core::fanout::{self, Transmit};
use majlis_core::framing::{Deframer, FrameError, MAX_WAITING, Outbox};
use majlis_core::srtp::{OpenKey, Profile, SealKey};
use majlis_core::stage::{FLOOR, Place, Stage};
use majlis_core::{MTU, Path, SessionId, StageId, WallClock, rtcp, rtp, stun};
use majlis_programme::mux::{Fmp4, Mux, Ogg, Sound, WebM};
use majlis_programme::{OpusPacket, Playout, ProgrammeFrame, RedBlock, parse_red};
use std::collections::BTreeMap;

/// A target's name and what it does with an input.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "stun", run: run_stun },
    Target { name: "rtp", run: run_rtp },
    Target { name: "rtcp", run: run_rtcp },
    Target { name: "srtp", run: run_srtp },
    Target { name: "endpoint", run: run_endpoint },
    Target { name: "red", run: run_red },
    Target { name: "programme_frame", run: run_programme_frame },
    Target { name: "opus_packet", run: run_opus_packet },
    Target { name: "mux", run: run_mux },
    Target { name: "stage", run: run_stage },
    Target { name: "framing", run: run_framing },
];

/// Each four bytes are somebody who comes on a stage, goes, hears something else, is muted, or says something.
fn run_stage(input: &[u8]) {
    let (mut stage, mut now, mut hearers) = (Stage::default(), 0, Vec::new());
    let mut places: BTreeMap<u64, Place> = BTreeMap::new();
    for act in input.chunks_exact(4) {
        let (who, booth) = (u64::from(act[1] % 16), u32::from(act[2] % 4));
        let (session, leads) = (SessionId(who), act[3] & 1 == 1);
        now += u64::from(act[3]) * 1_000;
        match act[0] % 6 {
            0 if !places.contains_key(&who) => {
                let place = Place { booth, hears: u32::from(act[3] % 4), leads };
                stage.join(session, act[1].into(), usize::from(act[2] % 5), place);
                places.insert(who, place);
            }
            1 => {
                stage.leave(session);
                places.remove(&who);
            }
            2 => {
                let clear = (0..8).filter(|member| act[3] >> member & 1 == 1).collect();
                stage.set_hearing(session, booth, leads, clear);
                places.entry(who).and_modify(|place| *place = Place { hears: booth, leads, ..*place });
            }
            3 => stage.set_muted(session, leads),
            _ => {
                let Some(spoken) = stage.route(session, act[2], now, &mut hearers) else { continue };
                let speaker = places[&who];
                assert_eq!(spoken, speaker.booth, "where its place is, and nowhere else");
                for (hearer, _) in &hearers {
                    let place = places[&hearer.0];
                    let heard = place.booth == spoken || spoken == FLOOR || place.hears == spoken && speaker.leads;
                    assert!(*hearer != session && heard, "{place:?} hears {speaker:?}");
                }
            }
        }
        assert!(stage.take_turn().flatten().is_none_or(|holder| stage.has_member(holder)));
    }
}

/// The input as a stream, whole and in pieces as its own bytes say: the same datagrams, or the same refusal. What was
/// found then goes through an outbox that takes as it likes, and comes out whole.
fn run_framing(input: &[u8]) {
    let read = |pieces: &[&[u8]]| {
        let (mut deframer, mut found) = (Deframer::default(), Vec::new());
        let mut take = |datagram: &[u8]| {
            assert!((1..=MTU).contains(&datagram.len()));
            found.push(datagram.to_vec());
            Ok::<(), FrameError>(())
        };
        let ended = pieces.iter().try_for_each(|piece| deframer.take(piece, &mut take));
        (found, ended)
    };
    let (found, ended) = read(&[input]);
    let (mut pieces, mut rest) = (Vec::new(), input);
    while let Some(first) = rest.first() {
        let (piece, tail) = rest.split_at(rest.len().min(usize::from(first % 9) + 1));
        pieces.push(piece);
        rest = tail;
    }
    assert_eq!(read(&pieces), (found.clone(), ended), "however it is cut");
    let (mut outbox, mut stream, mut now) = (Outbox::default(), Vec::new(), 0);
    for (datagram, step) in found.iter().zip(input.iter().cycle()) {
        now += u64::from(*step) * 1_000;
        outbox.put(datagram, now);
        assert!(outbox.waiting() <= MAX_WAITING);
        if step % 3 == 0
            && let Some(bytes) = outbox.front(now)
        {
            let taken = bytes.len().min(usize::from(*step) + 1);
            stream.extend_from_slice(&bytes[..taken]);
            outbox.advance(taken);
        }
    }
    while let Some(bytes) = outbox.front(now) {
        let all = bytes.len();
        stream.extend_from_slice(bytes);
        outbox.advance(all);
    }
    let (sent, ended) = read(&[&stream[..]]);
    assert_eq!(ended, Ok(()));
    assert_eq!(sent.len() + outbox.take_skipped() as usize, found.len(), "each is sent or given up");
}

fn run_stun(input: &[u8]) {
    let Ok(message) = stun::Message::parse(input) else { return };
    message.local_ufrag();
    message.mapped_address();
    message.integrity_is_valid(&stun::integrity_key(crate::seeds::PASSWORD));
}

fn run_rtp(input: &[u8]) {
    let Some(packet) = rtp::Packet::parse(input) else { return };
    assert!(packet.payload.len() <= input.len() && packet.csrcs().count() <= 15);
    for id in [0, 1, 3, 14, 15, 255] {
        assert!(packet.extension(id).is_none_or(|value| value.len() <= 255));
        packet.audio_level(id);
    }
    rtp::opus_samples(packet.payload);
}

fn run_rtcp(input: &[u8]) {
    for packet in rtcp::parse(input) {
        if let rtcp::Packet::SenderReport { reports, .. } | rtcp::Packet::ReceiverReport { reports, .. } = packet {
            assert!(reports.count() <= 31);
        }
    }
}

fn run_srtp(input: &[u8]) {
    for profile in [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmHmacSha1_80] {
        let master = vec![7; profile.key_len() + profile.salt_len()];
        let mut open = OpenKey::new(profile, &master).expect("right length");
        let first = open.open_rtp(&mut input.to_vec());
        assert!(first.is_err() || open.open_rtp(&mut input.to_vec()).is_err(), "opened twice");
        let first = open.open_rtcp(&mut input.to_vec());
        assert!(first.is_err() || open.open_rtcp(&mut input.to_vec()).is_err(), "opened twice");
    }
}

/// Counts what comes out.
#[derive(Default)]
struct Outlet {
    buffer: Vec<u8>,
    sent: usize,
    bytes: usize,
}

impl Transmit for Outlet {
    fn buffer(&mut self, _: &Path) -> &mut [u8] {
        self.buffer.resize(MTU, 0);
        &mut self.buffer
    }

    fn commit(&mut self, _: &Path, len: usize) {
        self.sent += 1;
        self.bytes += len;
    }

    fn flush(&mut self) {}
}

impl Sink for Outlet {
    fn event(&mut self, event: Event) -> bool {
        assert!(!matches!(event, Event::Failed(..)), "the endpoint contained a panic");
        true
    }

    fn fanout(&mut self, _: usize, _: fanout::Command) {}

    fn fact(&mut self, _: StageFact) {}

    fn media(&mut self, _: &StageMedia<'_>) {}
}

/// A whole endpoint with a stage session, reached from its own address and from a stranger's.
fn run_endpoint(input: &[u8]) {
    let mut endpoint = Endpoint::new(1, 50, WallClock::default(), "relay");
    let mut out = Outlet::default();
    let (session, stage) = (SessionId(1), StageId(1));
    let path = |port: u16| Path { socket: 0, remote: ([127, 0, 0, 1], port).into() };
    let profile = Profile::AeadAes128Gcm;
    let format = StageFormat {
        member: 1,
        payload_type: 111,
        level_extension_id: Some(1),
        slots: Vec::new(),
        place: Place::default(),
    };
    for command in [
        Command::AddSession { session, ufrag: crate::seeds::UFRAG.to_owned(), pwd: crate::seeds::PASSWORD.to_owned() },
        Command::SetKeys {
            session,
            seal: Box::new(SealKey::new(profile, &[7; 28]).expect("right length")),
            open: Box::new(OpenKey::new(profile, &[7; 28]).expect("right length")),
        },
        Command::AddStage(stage),
        Command::Join { session, stage, format },
    ] {
        endpoint.handle_command(command, 0, &mut out);
    }
    endpoint.handle_datagram(path(666), &mut input.to_vec(), 0, &mut out);
    assert!(out.sent <= 1 && out.bytes * 2 <= input.len() * 3, "at most one answer, no amplification");
    endpoint.handle_datagram(path(4000), &mut crate::seeds::check(), 1, &mut out);
    endpoint.handle_datagram(path(4000), &mut input.to_vec(), 2, &mut out);
    endpoint.handle_time(1_000_000, &mut out);
    assert_eq!(endpoint.counters().failed, 0);
}

fn run_red(input: &[u8]) {
    let mut whole = 0;
    let each = |block: RedBlock<'_>| whole += block.payload.len();
    if parse_red(input, each).is_ok() {
        assert!(whole < input.len());
    }
}

fn run_programme_frame(input: &[u8]) {
    let Ok(frame) = ProgrammeFrame::decode(input) else { return };
    assert_eq!(frame.encode(), input, "one meaning, one form");
    let mut playout = Playout::default();
    playout.push(frame, 1_000_000);
    playout.poll(2_000_000);
}

fn run_opus_packet(input: &[u8]) {
    if OpusPacket::parse(input).is_ok() {
        assert!(rtp::opus_samples(input).is_some(), "both readers agree");
    }
}

/// Packets as they are cut from the input, at times that it says: what is taken is in what comes out, whole.
fn run_mux(input: &[u8]) {
    let sound = Sound { channels: 1, pre_skip: 312 };
    let muxers: [Box<dyn Mux>; 3] =
        [Box::new(Ogg::new(sound, 1)), Box::new(WebM::new(sound)), Box::new(Fmp4::new(sound))];
    for mut mux in muxers {
        let (mut at, mut taken, mut written) = (0u64, 0, 0);
        let mut rest = input;
        while let [step, len, tail @ ..] = rest {
            let (packet, tail) = tail.split_at(usize::from(*len).min(tail.len()));
            at += u64::from(*step) * 240;
            if let Ok(bytes) = mux.packet(at, packet) {
                taken += packet.len();
                written += bytes.len();
            }
            rest = tail;
        }
        written += mux.end().len();
        assert!(written >= taken, "{taken} bytes of packets became {written}");
    }
}
