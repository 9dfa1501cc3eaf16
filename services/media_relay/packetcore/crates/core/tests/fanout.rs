//! One continuous stream for each listener, whatever happens to the channels.

mod common;

use common::{Outbox, master, path};
use majlis_core::fanout::{Command, ListenerFormat, ProgrammePacket, Shard, StreamStart, Transmit};
use majlis_core::rtp::Packet;
use majlis_core::srtp::{OpenKey, Profile, SealKey};
use majlis_core::{ChannelId, Micros, Path, SECOND, SessionId, WallClock, rtcp};
use proptest::prelude::*;

const PROFILE: Profile = Profile::AeadAes128Gcm;
const FRAME: Micros = 20_000;

fn shard() -> Shard {
    Shard::new(WallClock::new(0, 1 << 40), "relay")
}

fn format() -> ListenerFormat {
    ListenerFormat {
        ssrc: 5,
        payload_type: 111,
        red_payload_type: Some(63),
        abs_capture_time_id: Some(4),
        level_extension_id: Some(1),
    }
}

fn attach(shard: &mut Shard, session: u64, channel: u64, format: ListenerFormat) -> OpenKey {
    let start = StreamStart { sequence: 0x7f00, timestamp: u32::MAX - 5_000 };
    let (id, channel) = (SessionId(session), ChannelId(channel));
    let attach = Command::Attach { session: id, channel, format, start };
    let key = SealKey::new(PROFILE, &master(PROFILE, session as u8)).expect("key");
    shard.handle_command(attach, 0);
    shard.handle_command(Command::Path(id, path(session as u16)), 0);
    shard.handle_command(Command::Key(id, Box::new(key)), 0);
    OpenKey::new(PROFILE, &master(PROFILE, session as u8)).expect("key")
}

fn packet(channel: u64, sequence: u64, timestamp: u32) -> ProgrammePacket {
    let mut packet = ProgrammePacket::new(ChannelId(channel));
    (packet.sequence, packet.timestamp, packet.capture_ntp) = (sequence, timestamp, 77);
    (packet.csrcs[0], packet.csrc_count, packet.level) = (42, 1, 9);
    assert!(packet.plain.set(&[0x78; 80]) && packet.red[0].set(&[0x80 | 111, 0, 0, 4, 111, 1, 2, 3, 4, 9, 9]));
    packet
}

fn drain(shard: &mut Shard, mut now: Micros, out: &mut Outbox) {
    while let Some(due) = shard.poll(now, out) {
        now = now.max(due);
    }
}

#[test]
fn each_listener_gets_the_packet_under_his_own_key_with_what_he_negotiated() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let mut full = attach(&mut shard, 1, 9, format());
    let mut bare = attach(
        &mut shard,
        2,
        9,
        ListenerFormat {
            ssrc: 6,
            payload_type: 96,
            red_payload_type: None,
            abs_capture_time_id: None,
            level_extension_id: None,
        },
    );
    shard.handle_packet(&packet(9, 0, 0), 0);
    drain(&mut shard, 0, &mut out);
    let (len, _) = full.open_rtp(&mut out.sent[0].1).expect("his key");
    let first = Packet::parse(&out.sent[0].1[..len]).expect("RTP");
    assert_eq!((first.ssrc, first.payload_type, first.payload), (5, 111, &[0x78; 80][..]));
    assert_eq!((first.audio_level(1), first.extension(4)), (Some(9), Some(&77u64.to_be_bytes()[..])));
    assert_eq!(first.csrcs().collect::<Vec<_>>(), [42]);
    let (len, _) = bare.open_rtp(&mut out.sent[1].1).expect("his key");
    let second = Packet::parse(&out.sent[1].1[..len]).expect("RTP");
    assert_eq!((second.ssrc, second.payload_type, second.audio_level(1)), (6, 96, None));
}

#[test]
fn red_goes_to_who_is_told_and_its_blocks_bear_his_payload_type() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let odd = ListenerFormat { payload_type: 99, ..format() };
    let mut open = attach(&mut shard, 1, 9, odd);
    shard.handle_command(Command::Red(SessionId(1), 1), 0);
    shard.handle_packet(&packet(9, 0, 0), 0);
    shard.handle_command(Command::Red(SessionId(1), 0), 0);
    drain(&mut shard, 0, &mut out);
    shard.handle_command(Command::Red(SessionId(1), 1), 0);
    shard.handle_packet(&packet(9, 1, 960), FRAME);
    drain(&mut shard, FRAME, &mut out);
    let mut seen = Vec::new();
    for (_, datagram) in &mut out.sent {
        let (len, index) = open.open_rtp(datagram).expect("his key");
        let packet = Packet::parse(&datagram[..len]).expect("RTP");
        seen.push((index, packet.payload_type, packet.payload[0]));
        if packet.payload_type == 63 {
            assert_eq!((packet.payload[0], packet.payload[4]), (0x80 | 99, 99));
        }
    }
    assert_eq!(seen, [(0x7f00, 99, 0x78), (0x7f01, 63, 0x80 | 99)], "one sequence for both");
}

#[test]
fn silence_sends_nothing_and_time_goes_on() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let mut open = attach(&mut shard, 1, 9, format());
    for (sequence, timestamp, at) in [(0, 0, 0), (1, 960, FRAME), (2, 960 * 100, 100 * FRAME)] {
        let mut packet = packet(9, sequence, timestamp);
        packet.marker = sequence == 2;
        shard.handle_packet(&packet, at);
        drain(&mut shard, at, &mut out);
    }
    let mut heard = Vec::new();
    for (_, datagram) in &mut out.sent {
        if let Ok((len, index)) = open.open_rtp(datagram) {
            let packet = Packet::parse(&datagram[..len]).expect("RTP");
            heard.push((index, packet.timestamp, packet.marker));
        }
    }
    assert_eq!(heard.len(), 3);
    assert_eq!((heard[2].0 - heard[1].0, heard[2].1.wrapping_sub(heard[1].1)), (1, 960 * 99));
    assert!(heard[0].2 && !heard[1].2 && heard[2].2);
}

#[test]
fn a_large_room_is_served_at_an_even_pace_within_fifteen_milliseconds() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    (1..=5000).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    shard.handle_packet(&packet(9, 0, 0), 0);
    let (mut now, mut times) = (0, Vec::new());
    loop {
        let before = out.sent.len();
        let Some(due) = shard.poll(now, &mut out) else { break };
        times.push((now, out.sent.len() - before));
        assert!(due > now, "a group at a time");
        now = due;
    }
    assert_eq!(out.sent.len(), 5000);
    assert!(times.iter().all(|(_, count)| *count <= 256) && now <= 15_000, "{times:?}");
}

#[test]
fn who_leaves_while_a_packet_is_on_its_way_takes_nobodys_packet_along() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    (1..=1000).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    shard.handle_packet(&packet(9, 0, 0), 0);
    let mut now = shard.poll(0, &mut out).expect("more groups");
    (1..=100).for_each(|session| shard.handle_command(Command::Remove(SessionId(session)), now));
    while let Some(due) = shard.poll(now, &mut out) {
        now = due;
    }
    assert_eq!(out.sent.len(), 1000, "the hundred had theirs, and so has everyone else");
    out.sent.clear();
    shard.handle_packet(&packet(9, 1, 960), FRAME);
    drain(&mut shard, FRAME, &mut out);
    assert_eq!((out.sent.len(), shard.len()), (900, 900));
}

#[test]
fn leaving_and_changing_channels_costs_the_same_in_a_hall_as_in_a_small_room() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    (1..=5000).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    let placed = shard.counters().placed;
    (1..=5000).for_each(|session| shard.handle_command(Command::Switch(SessionId(session), ChannelId(8)), 0));
    assert!(shard.counters().placed - placed <= 2 * 5000);
    shard.handle_packet(&packet(8, 0, 0), 0);
    let mut now = shard.poll(0, &mut out).expect("more groups");
    let placed = shard.counters().placed;
    (1..=2000).for_each(|session| shard.handle_command(Command::Remove(SessionId(session)), now));
    while let Some(due) = shard.poll(now, &mut out) {
        now = due;
    }
    (2001..=4990).for_each(|session| shard.handle_command(Command::Remove(SessionId(session)), now));
    assert!(shard.counters().placed - placed <= 5000, "{}", shard.counters().placed - placed);
    out.sent.clear();
    shard.handle_packet(&packet(8, 1, 960), FRAME);
    drain(&mut shard, FRAME, &mut out);
    assert_eq!((out.sent.len(), shard.len()), (10, 10));
}

#[test]
fn who_comes_while_others_leave_takes_their_places_and_hears() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    (1..=600).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    shard.handle_packet(&packet(9, 0, 0), 0);
    shard.poll(0, &mut out);
    (1..=300).for_each(|session| shard.handle_command(Command::Remove(SessionId(session)), 1));
    (601..=900).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    drain(&mut shard, 1, &mut out);
    out.sent.clear();
    shard.handle_packet(&packet(9, 1, 960), FRAME);
    drain(&mut shard, FRAME, &mut out);
    let mut ports: Vec<u16> = out.sent.iter().map(|(to, _)| to.remote.port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, (301..=900).collect::<Vec<_>>());
}

#[test]
fn a_thread_that_cannot_keep_up_leaves_old_sound_out_and_stays_close_to_the_speaker() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let mut open = attach(&mut shard, 1, 9, format());
    (2..=5000).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    let (mut heard, mut latest) = (0, 0);
    for frame in 0..300u64 {
        shard.handle_packet(&packet(9, frame, frame as u32 * 960), frame * FRAME);
        // Half of what would be needed.
        for _ in 0..10 {
            shard.poll(frame * FRAME, &mut out);
        }
        for (to, datagram) in &mut out.sent {
            if *to == path(1) && !(192..224).contains(&datagram[1]) {
                let (_, index) = open.open_rtp(datagram).expect("his key");
                (heard, latest) = (heard + 1, index - 0x7f00);
            }
        }
        out.sent.clear();
        assert!(frame - latest.min(frame) <= 8, "at {frame} the newest heard is {latest}");
    }
    assert!((140..=160).contains(&heard), "{heard} of 300");
    assert!(shard.counters().overload_drops >= 140 * 5000);
}

#[test]
fn many_packets_at_once_for_a_thread_that_stands_still_leave_the_newest() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let mut open = attach(&mut shard, 1, 9, format());
    (0..40u64).for_each(|frame| shard.handle_packet(&packet(9, frame, frame as u32 * 960), FRAME));
    drain(&mut shard, FRAME, &mut out);
    let mut index = |datagram: &mut Vec<u8>| open.open_rtp(datagram).expect("his key").1;
    let heard: Vec<u64> = out.sent.iter_mut().map(|(_, datagram)| index(datagram)).collect();
    assert_eq!((heard.len(), heard[11] - heard[0]), (12, 11));
    assert_eq!(shard.counters().overload_drops, 28);
}

#[test]
fn sender_reports_say_what_was_sent() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    let mut open = attach(&mut shard, 1, 9, format());
    for frame in 0..600u64 {
        shard.handle_packet(&packet(9, frame, frame as u32 * 960), frame * FRAME);
        drain(&mut shard, frame * FRAME, &mut out);
    }
    let mut reports = Vec::new();
    for (_, datagram) in out.sent.iter_mut().filter(|(_, datagram)| (192..224).contains(&datagram[1])) {
        let len = open.open_rtcp(datagram).expect("his key");
        reports.extend(rtcp::parse(&datagram[..len]).filter_map(|packet| match packet {
            rtcp::Packet::SenderReport { ssrc, .. } => Some(ssrc),
            _ => None,
        }));
    }
    assert!((2..=3).contains(&reports.len()) && reports.iter().all(|ssrc| *ssrc == 5), "{reports:?} in 12 s");
}

/// A transmitter that fails for one destination.
struct Poisoned(Outbox, Path);

impl Transmit for Poisoned {
    fn buffer(&mut self, path: &Path) -> &mut [u8] {
        assert_ne!(*path, self.1, "injected failure");
        self.0.buffer(path)
    }

    fn commit(&mut self, path: &Path, len: usize) {
        self.0.commit(path, len);
    }

    fn flush(&mut self) {}
}

#[test]
fn a_failure_ends_one_listener_and_the_rest_of_the_room_hears_on() {
    let mut shard = shard();
    (1..=300).for_each(|session| drop(attach(&mut shard, session, 9, format())));
    let mut out = Poisoned(Outbox::default(), path(17));
    shard.handle_packet(&packet(9, 0, 0), 0);
    let mut now = 0;
    while let Some(due) = shard.poll(now, &mut out) {
        now = now.max(due);
    }
    assert_eq!((out.0.sent.len(), shard.take_failed(), shard.len()), (299, vec![SessionId(17)], 299));
}

#[test]
fn a_hall_that_nobody_speaks_in_costs_no_turn() {
    let (mut shard, mut out) = (shard(), Outbox::default());
    (1..=500).for_each(|session| drop(attach(&mut shard, session, session % 50, format())));
    assert_eq!(shard.poll(0, &mut out), None);
    (0..50).for_each(|channel| shard.handle_packet(&packet(channel, 0, 0), channel * 10));
    shard.handle_command(Command::RemoveChannel(ChannelId(0)), 1);
    drain(&mut shard, 0, &mut out);
    assert_eq!((out.sent.len(), shard.poll(SECOND, &mut out)), (490, None), "what was removed is due no more");
}

#[derive(Debug, Clone)]
enum Step {
    Frame { channel: u64, lost: u8, silence: u16 },
    Switch(u64),
    Pause(bool),
    Red(u8),
    Move(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0u64..3, 0u8..3, 0u16..4).prop_map(|(channel, lost, silence)| Step::Frame { channel, lost, silence }),
        1 => (0u64..3).prop_map(Step::Switch),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (0u8..4).prop_map(Step::Red),
        1 => (1u16..9).prop_map(Step::Move),
    ]
}

proptest! {
    /// The receiver's replay window is the witness: a packet sealed under a used index would not open.
    #[test]
    fn a_listeners_stream_stays_one_whatever_happens_above(steps in prop::collection::vec(step(), 1..300)) {
        let (mut shard, mut out) = (shard(), Outbox::default());
        let mut open = attach(&mut shard, 1, 0, format());
        let mut channels = [(0u64, 5u32), (90_000, 1 << 31), (u64::MAX >> 20, u32::MAX - 100)];
        let mut now = 0;
        let mut frames = 0;
        for step in steps {
            match step {
                Step::Frame { channel, lost, silence } => {
                    now += FRAME;
                    let passed = u32::from(lost) + u32::from(silence) * 50 + 1;
                    now += FRAME * u64::from(passed - 1);
                    frames += passed;
                    channels.iter_mut().for_each(|(_, timestamp)| *timestamp = timestamp.wrapping_add(960 * passed));
                    let (sequence, timestamp) = &mut channels[channel as usize];
                    *sequence += u64::from(lost) + 1;
                    shard.handle_packet(&packet(channel, *sequence, *timestamp), now);
                    drain(&mut shard, now, &mut out);
                }
                Step::Switch(channel) => shard.handle_command(Command::Switch(SessionId(1), ChannelId(channel)), now),
                Step::Pause(paused) => shard.handle_command(Command::Pause(SessionId(1), paused), now),
                Step::Red(depth) => shard.handle_command(Command::Red(SessionId(1), depth), now),
                Step::Move(port) => shard.handle_command(Command::Path(SessionId(1), path(port)), now),
            }
        }
        let mut last: Option<(u64, u32)> = None;
        for (_, datagram) in out.sent.iter_mut().filter(|(_, datagram)| !(192..224).contains(&datagram[1])) {
            let (len, index) = open.open_rtp(datagram).expect("authentic and never seen before");
            let timestamp = Packet::parse(&datagram[..len]).expect("RTP").timestamp;
            if let Some((before, then)) = last {
                prop_assert!((1..=3).contains(&(index - before)), "only loss upstream is a gap: {}", index - before);
                let step = timestamp.wrapping_sub(then);
                // A pause may have lasted from the first frame to the last.
                prop_assert!(step >= 960 && step <= 960 * frames && step.is_multiple_of(960), "step {step}");
            }
            last = Some((index, timestamp));
        }
    }
}
