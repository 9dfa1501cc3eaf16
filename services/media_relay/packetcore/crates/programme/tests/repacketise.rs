//! Longer packets hold the very frames of the programme, and changing their length is not heard.

#[path = "../../mix/tests/support/mod.rs"]
mod support;

use majlis_mix::SpeechDecoder;
use majlis_programme::{MediaPacket, OpusError, OpusPacket, PacketLength, Payload, ProgrammeFrame, Repacketiser};
use support::*;

fn programme(ticks: usize) -> Vec<ProgrammeFrame> {
    let mut mixer = mixer([1, 2]);
    let mut arrivals = steady(&mut Voice::new(1, speech(1, 0.3)), 1, 0, ticks);
    arrivals.extend(steady(&mut Voice::tone(2, 700.0, 0.1), 2, 0, ticks));
    run(&mut mixer, arrivals, ticks as u64).into_iter().flatten().collect()
}

/// Joins `frames` while `length` says how, by frame number.
fn join(frames: &[ProgrammeFrame], length: impl Fn(usize) -> PacketLength) -> Vec<MediaPacket> {
    let mut joiner = Repacketiser::default();
    let mut packets = Vec::new();
    for (n, frame) in frames.iter().enumerate() {
        joiner.set_length(length(n), |packet| packets.push(*packet));
        joiner.push(frame, n as u64 * 20_000, |packet| packets.push(*packet));
    }
    joiner.flush(|packet| packets.push(*packet));
    packets
}

fn decode(packets: &[MediaPacket]) -> Vec<f32> {
    let mut decoder = SpeechDecoder::new().unwrap();
    let mut heard = Vec::new();
    for packet in packets {
        decoder.decode(packet.payload(), &mut heard).unwrap();
    }
    heard
}

#[test]
fn every_length_decodes_to_the_same_samples() {
    let frames = programme(200);
    let plain = decode(&join(&frames, |_| PacketLength::Ms20));
    for length in [PacketLength::Ms40, PacketLength::Ms60] {
        let packets = join(&frames, |_| length);
        assert!(decode(&packets) == plain, "{length:?} changes the sound");
        assert!(
            packets.len() <= frames.len() / (length.ms() / 20) as usize + 6,
            "{length:?}: {} packets",
            packets.len()
        );
    }
}

#[test]
fn switching_from_twenty_to_sixty_and_back_is_free_of_clicks() {
    let frames = programme(300);
    let plain = decode(&join(&frames, |_| PacketLength::Ms20));
    let switched = join(&frames, |n| if (100..200).contains(&n) { PacketLength::Ms60 } else { PacketLength::Ms20 });
    assert!(decode(&switched) == plain);
    let mut timestamp = switched[0].timestamp;
    for packet in &switched {
        assert_eq!(packet.timestamp, timestamp);
        timestamp = timestamp.wrapping_add(packet.samples);
    }
    assert!(switched[40].samples == 960 && switched[110].samples == 2880 && switched.last().unwrap().samples == 960);
}

#[test]
fn a_closing_frame_travels_alone_and_at_once() {
    let mut frames = programme(5);
    let closing = ProgrammeFrame {
        end_of_talk: true,
        timestamp: frames[frames.len() - 1].timestamp.wrapping_add(960),
        payload: Payload::new(&[frames[0].payload.as_slice()[0] & 0xfc]).unwrap(),
        ..frames[0]
    };
    frames.push(closing);
    let packets = join(&frames, |_| PacketLength::Ms60);
    let last = packets.last().unwrap();
    assert!(last.end_of_talk && last.payload().len() == 1 && last.samples == 960);
    assert!(packets[..packets.len() - 1].iter().all(|packet| !packet.end_of_talk));
}

#[test]
fn a_lost_frame_and_a_change_of_coding_close_a_packet_early() {
    let mut frames = programme(20)[5..14].to_vec();
    frames.remove(4);
    let other = Payload::new(&[0x09 << 3, 1, 2]).unwrap();
    frames[7].payload = other;
    let packets = join(&frames, |_| PacketLength::Ms60);
    let samples: Vec<u32> = packets.iter().map(|packet| packet.samples / 960).collect();
    assert_eq!(samples.iter().sum::<u32>(), 8);
    assert!(samples.len() >= 4, "{samples:?}");
    for packet in &packets {
        assert_eq!(OpusPacket::parse(packet.payload()).unwrap().samples(), packet.samples);
    }
}

#[test]
fn a_packet_that_would_grow_too_long_for_some_path_is_closed_early() {
    let mut frames = programme(20)[5..11].to_vec();
    let toc = frames[0].payload.as_slice()[0];
    for frame in &mut frames {
        let mut long = vec![7; 400];
        long[0] = toc;
        frame.payload = Payload::new(&long).unwrap();
    }
    let packets = join(&frames, |_| PacketLength::Ms60);
    assert_eq!(packets.iter().map(|packet| packet.samples / 960).collect::<Vec<_>>(), [2, 2, 2]);
    assert!(packets.iter().all(|packet| packet.payload().len() <= majlis_programme::MAX_PACKET_PAYLOAD));
}

#[test]
fn frames_that_wait_in_vain_go_out_after_their_time() {
    let frames = programme(10);
    let mut joiner = Repacketiser::new(PacketLength::Ms60);
    let mut out = 0;
    joiner.push(&frames[0], 1_000_000, |_| out += 1);
    assert_eq!(joiner.deadline(), Some(1_055_000));
    joiner.poll(1_054_999, |_| out += 1);
    assert_eq!(out, 0);
    joiner.poll(1_055_000, |packet| out += packet.samples / 960);
    assert_eq!((out, joiner.deadline()), (1, None));
}

#[test]
fn a_packet_names_everyone_in_it_and_its_loudest_level() {
    let mut frames = programme(20)[10..13].to_vec();
    frames[0].csrcs = majlis_programme::Csrcs::from_loudest([1, 2]);
    frames[1].csrcs = majlis_programme::Csrcs::from_loudest([2, 3]);
    frames[2].csrcs = majlis_programme::Csrcs::from_loudest([4]);
    (frames[0].level, frames[1].level, frames[2].level) = (40, 20, 30);
    let packets = join(&frames, |_| PacketLength::Ms60);
    assert_eq!(packets.len(), 1);
    assert_eq!(packets[0].csrcs.as_slice(), &[4, 2, 3, 1]);
    assert_eq!((packets[0].level, packets[0].first_sequence), (20, frames[0].sequence));
}

#[test]
fn malformed_opus_packets_are_refused_by_requirement() {
    let refused = |bytes: &[u8]| OpusPacket::parse(bytes).unwrap_err();
    assert_eq!(refused(&[]), OpusError::Empty);
    assert_eq!(refused(&[0x79, 1, 2, 3]), OpusError::Uneven);
    assert_eq!(refused(&[0x7a]), OpusError::Truncated);
    assert_eq!(refused(&[0x7a, 5, 1, 2]), OpusError::Truncated);
    assert_eq!(refused(&[0x7b]), OpusError::Truncated);
    assert_eq!(refused(&[0x7b, 0]), OpusError::Duration);
    assert_eq!(refused(&[0x7b, 7, 0, 0, 0, 0, 0, 0, 0]), OpusError::Duration);
    assert_eq!(refused(&[0x7b, 0x42, 9, 1]), OpusError::Truncated);
    assert_eq!(refused(&[&[0x78][..], &[0; 1276]].concat()), OpusError::FrameTooLong);
    let padded = OpusPacket::parse(&[0x7b, 0x42, 1, 7, 8, 0]).map(|packet| packet.frames().to_vec());
    assert_eq!(padded, Ok(vec![&[7u8][..], &[8u8][..]]));
}

/// Frames of a thrifty mixer that one voice speaks into.
fn thrifty(ticks: usize) -> Vec<ProgrammeFrame> {
    let config = majlis_programme::MixerConfig {
        stream: 3,
        first_sequence: 0,
        first_timestamp: 0,
        bits_per_second: majlis_programme::THRIFT_BITRATE,
        complexity: 5,
        thrift: true,
    };
    let mut mixer = majlis_mix::Mixer::new(config, 0).unwrap();
    mixer.add_member(1).unwrap();
    run(&mut mixer, steady(&mut Voice::tone(1, 400.0, 0.2), 1, 0, ticks), ticks as u64).into_iter().flatten().collect()
}

#[test]
fn frames_of_a_thrifty_programme_travel_in_twos_and_what_waits_for_none_goes_alone() {
    let frames = thrifty(150);
    let packets = join(&frames, |_| PacketLength::Ms120);
    assert!(frames.len() > 40 && packets.len() <= frames.len() / 2 + 2, "{} packets", packets.len());
    assert!(packets[..packets.len() - 1].iter().all(|packet| (packet.samples, packet.frames) == (5760, 2)));
    let alone = decode(&join(&frames, |_| PacketLength::Ms20));
    assert!(decode(&packets) == alone, "joining changes the sound");
    let mut joiner = Repacketiser::new(PacketLength::Ms120);
    let mut late = Vec::new();
    joiner.push(&frames[0], 0, |_| panic!("it waits for another"));
    let deadline = joiner.deadline().expect("it waits");
    assert!((60_000..100_000).contains(&deadline), "until {deadline} µs");
    joiner.poll(deadline, |packet| late.push(*packet));
    assert_eq!(late.iter().map(|packet| (packet.samples, packet.frames)).collect::<Vec<_>>(), [(2880, 1)]);
}

#[test]
fn frames_of_twenty_milliseconds_from_an_older_relay_are_joined_in_a_thrifty_channel_too() {
    let frames = programme(100);
    let packets = join(&frames, |_| PacketLength::Ms120);
    assert!(packets.len() < frames.len() / 2, "{} packets of {} frames", packets.len(), frames.len());
    assert!(decode(&packets) == decode(&join(&frames, |_| PacketLength::Ms20)));
}
