//! Who listens to a channel hears that one, whatever others listen to and wherever they go meanwhile.

mod common;

use common::{Outbox, master, path};
use majlis_core::fanout::{Command, ListenerFormat, ProgrammePacket, Shard, StreamStart};
use majlis_core::srtp::{OpenKey, Profile, SealKey};
use majlis_core::{ChannelId, Micros, SessionId, WallClock};
use std::collections::BTreeMap;

const PROFILE: Profile = Profile::AeadAes128Gcm;
const FRAME: Micros = 20_000;

fn attach(shard: &mut Shard, session: u64, channel: u64) -> OpenKey {
    let (id, channel) = (SessionId(session), ChannelId(channel));
    let format = ListenerFormat {
        ssrc: 5,
        payload_type: 111,
        red_payload_type: None,
        abs_capture_time_id: None,
        level_extension_id: None,
    };
    let attach = Command::Attach { session: id, channel, format, start: StreamStart { sequence: 9, timestamp: 7 } };
    let key = SealKey::new(PROFILE, &master(PROFILE, session as u8)).expect("key");
    shard.handle_command(attach, 0);
    shard.handle_command(Command::Path(id, path(session as u16)), 0);
    shard.handle_command(Command::Key(id, Box::new(key)), 0);
    OpenKey::new(PROFILE, &master(PROFILE, session as u8)).expect("key")
}

/// What was sent since, each with the listener by their port and the channel that is in its payload.
fn sent(out: &mut Outbox, open: &mut BTreeMap<u64, OpenKey>) -> Vec<(u64, u64)> {
    let voices = out.sent.drain(..).filter(|(_, datagram)| !(192..224).contains(&datagram[1]));
    let mut told = Vec::new();
    for (to, mut datagram) in voices {
        let session = u64::from(to.remote.port());
        let key = open.get_mut(&session).expect("nobody hears after they left");
        let (len, _) = key.open_rtp(&mut datagram).expect("sealed for who gets it");
        told.push((session, u64::from(datagram[len - 1])));
    }
    told
}

#[test]
fn no_packet_of_a_channel_reaches_a_listener_of_another_in_any_of_a_thousand_schedules() {
    let mut heard = 0;
    for seed in 0..1000u64 {
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let (mut shard, mut out, mut now) = (Shard::new(WallClock::new(0, 1 << 40), "relay"), Outbox::default(), 0);
        let (mut open, mut at) = (BTreeMap::new(), BTreeMap::new());
        for turn in 0..60u64 {
            let (session, channel) = (1 + turn * 4 % 400 + below(4), below(4));
            match below(6) {
                0 => drop(open.insert(session, attach(&mut shard, session, channel))),
                1 => at.keys().copied().collect::<Vec<u64>>().iter().for_each(|who| {
                    // A room's whole language moves, as when its booth opens.
                    shard.handle_command(Command::Switch(SessionId(*who), ChannelId(channel)), now);
                    at.insert(*who, channel);
                }),
                2 => {
                    let who = at.keys().copied().nth(below(1 + at.len() as u64) as usize).unwrap_or(session);
                    shard.handle_command(Command::Remove(SessionId(who)), now);
                    at.remove(&who);
                    open.remove(&who);
                }
                3 => {
                    let who = at.keys().copied().nth(below(1 + at.len() as u64) as usize).unwrap_or(session);
                    shard.handle_command(Command::Switch(SessionId(who), ChannelId(channel)), now);
                    at.entry(who).and_modify(|place| *place = channel);
                }
                _ => {
                    now += FRAME;
                    let mut said = ProgrammePacket::new(ChannelId(channel));
                    (said.sequence, said.timestamp) = (turn, turn as u32 * 960);
                    assert!(said.plain.set(&[channel as u8; 80]));
                    shard.handle_packet(&said, now);
                }
            }
            if open.contains_key(&session) {
                at.entry(session).or_insert(channel);
            }
            // Some is still on its way when the next thing happens.
            for _ in 0..below(3) {
                shard.poll(now, &mut out);
            }
            for (who, said) in sent(&mut out, &mut open) {
                assert_eq!(at.get(&who), Some(&said), "seed {seed}: {who} hears {said}");
                heard += 1;
            }
        }
    }
    assert!(heard > 10_000, "{heard} packets were heard at all");
}
