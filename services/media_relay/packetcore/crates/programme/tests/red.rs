//! Redundancy: what is built can be taken apart, malformed payloads are refused, and loss is repaired as promised.

#[path = "../../mix/tests/support/mod.rs"]
mod support;

use majlis_programme::{MediaPacket, PacketLength, RedError, RedHistory, Repacketiser, parse_red};
use std::collections::BTreeSet;
use support::*;

fn packets(seconds: usize, length: PacketLength) -> Vec<MediaPacket> {
    let mut mixer = mixer([1]);
    let frames = run(&mut mixer, steady(&mut Voice::new(1, speech(1, 0.3)), 1, 0, seconds * 50), seconds as u64 * 50);
    let mut joiner = Repacketiser::new(length);
    let mut packets = Vec::new();
    for (frame, tick) in frames.iter().zip(0..) {
        if let Some(frame) = frame {
            joiner.push(frame, tick * 20_000, |packet| packets.push(*packet));
        }
        joiner.poll(tick * 20_000, |packet| packets.push(*packet));
    }
    packets
}

fn wrapped(packets: &[MediaPacket], depth: usize) -> Vec<Vec<u8>> {
    let mut history = RedHistory::default();
    let wrap = |packet: &MediaPacket| {
        let mut out = Vec::new();
        history.wrap(packet, 111, depth, &mut out);
        history.remember(packet);
        out
    };
    packets.iter().map(wrap).collect()
}

#[test]
fn a_payload_carries_the_packets_before_it_oldest_first() {
    for depth in [0, 1, 2] {
        let packets = packets(2, PacketLength::Ms20);
        let red = wrapped(&packets, depth);
        for n in 2..packets.len() {
            let mut blocks = Vec::new();
            parse_red(&red[n], |block| blocks.push(block)).unwrap();
            assert_eq!(blocks.len(), depth + 1);
            for (block, packet) in blocks.iter().zip(&packets[n - depth..]) {
                assert_eq!((block.payload_type, block.payload), (111, packet.payload()));
                assert_eq!(packets[n].timestamp.wrapping_sub(block.offset), packet.timestamp);
            }
        }
    }
}

#[test]
fn the_wire_form_is_that_of_the_rfc() {
    let packets = packets(1, PacketLength::Ms20);
    let red = wrapped(&packets, 1);
    let earlier = packets[4].payload();
    let header = u32::from_be_bytes([red[5][0], red[5][1], red[5][2], red[5][3]]);
    assert_eq!(header, 0x80 << 24 | 111 << 24 | 960 << 10 | earlier.len() as u32);
    assert_eq!(red[5][4], 111);
    assert_eq!(&red[5][5..5 + earlier.len()], earlier);
    assert_eq!(&red[5][5 + earlier.len()..], packets[5].payload());
}

#[test]
fn silence_longer_than_an_offset_can_say_is_not_bridged() {
    let mut late = packets(1, PacketLength::Ms20);
    let last = late.len() - 1;
    late[last].timestamp = late[last].timestamp.wrapping_add(20_000);
    let mut blocks = 0;
    parse_red(&wrapped(&late, 2)[last], |_| blocks += 1).unwrap();
    assert_eq!(blocks, 1);
}

#[test]
fn malformed_payloads_are_refused_whole() {
    let whole = wrapped(&packets(1, PacketLength::Ms20), 2).pop().unwrap();
    let redundant = 9 + 2 * 10;
    for cut in 0..redundant {
        assert_eq!(parse_red(&whole[..cut], |_| panic!("a block of a broken payload")), Err(RedError::Truncated));
    }
    let many = [[0x80 | 111, 0, 4, 0]; 40].concat();
    assert_eq!(parse_red(&many, |_| panic!("a block of a broken payload")), Err(RedError::TooManyBlocks));
    assert_eq!(parse_red(&[], |_| panic!("a block of nothing")), Err(RedError::Truncated));
}

/// Share of a talk's frames a listener has to conceal, in ten-thousandths, over 200 s with `loss` percent gone.
fn concealed(length: PacketLength, depth: usize, loss: u64) -> usize {
    let packets = packets(20, length);
    let red = wrapped(&packets, depth);
    let mut network = Seeded(2026 + loss);
    let (mut lost, mut sent) = (0, 0);
    for _ in 0..10 {
        let mut heard = BTreeSet::new();
        for (packet, payload) in packets.iter().zip(&red).filter(|_| network.below(100) >= loss) {
            parse_red(payload, |block| {
                heard.insert(packet.timestamp.wrapping_sub(block.offset));
            })
            .unwrap();
        }
        lost += packets.iter().filter(|packet| !heard.contains(&packet.timestamp)).count();
        sent += packets.len();
    }
    lost * 10_000 / sent
}

#[test]
fn one_repetition_keeps_concealment_within_the_bars() {
    for length in [PacketLength::Ms20, PacketLength::Ms60] {
        let (ten, twenty) = (concealed(length, 1, 10), concealed(length, 1, 20));
        println!("{length:?}: {ten} and {twenty} of 10,000");
        assert!(ten <= 150, "{length:?}, 10 % loss: {ten} of 10,000");
        assert!(twenty <= 500, "{length:?}, 20 % loss: {twenty} of 10,000");
    }
}

#[test]
fn two_repetitions_keep_it_far_lower() {
    assert!(concealed(PacketLength::Ms20, 2, 10) <= 50);
    assert!(concealed(PacketLength::Ms20, 2, 20) <= 150);
}
