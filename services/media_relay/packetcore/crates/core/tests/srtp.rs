//! Sealing and opening as RFC 3711 and RFC 7714 have them.

mod common;

use common::{PROFILES, master};
use majlis_core::rtp::Header;
use majlis_core::srtp::{OpenKey, Profile, SealKey, SrtpError};
use proptest::prelude::*;
use std::collections::HashSet;

fn packet(payload: &[u8]) -> (Vec<u8>, usize, usize) {
    let mut buf = vec![0; 1500];
    let header = Header { payload_type: 111, timestamp: 5, csrcs: &[1, 2], level: Some((1, 20)), ..Header::default() };
    let at = header.write(&mut buf);
    buf[at..at + payload.len()].copy_from_slice(payload);
    (buf, at, at + payload.len())
}

fn sealed(key: &SealKey, stream: &mut majlis_core::srtp::SendStream, payload: &[u8]) -> Vec<u8> {
    let (mut buf, at, len) = packet(payload);
    let index = stream.claim_next().expect("room");
    let len = key.seal_rtp(index, &mut buf, at, len).expect("room");
    buf.truncate(len);
    buf
}

#[test]
fn counter_mode_opens_and_seals_the_reference_packets() {
    let key = [
        0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0, 0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39, 0x0e, 0xc6,
        0x75, 0xad, 0x49, 0x8a, 0xfe, 0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6,
    ];
    let mut plain = vec![0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe];
    plain.extend([0xab; 16]);
    let reference = [
        0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0x4e, 0x55, 0xdc, 0x4c, 0xe7, 0x99,
        0x78, 0xd8, 0x8c, 0xa4, 0xd2, 0x15, 0x94, 0x9d, 0x24, 0x02, 0xb7, 0x8d, 0x6a, 0xcc, 0x99, 0xea, 0x17, 0x9b,
        0x8d, 0xbb,
    ];
    let mut seal = SealKey::new(Profile::Aes128CmHmacSha1_80, &key).expect("right length");
    let mut stream = seal.open_stream(0xcafe_babe, 0x1234).expect("first");
    let mut buf = plain.clone();
    buf.resize(100, 0);
    let len = seal.seal_rtp(stream.claim_next().expect("room"), &mut buf, 12, plain.len()).expect("room");
    assert_eq!(buf[..len], reference);
    let mut open = OpenKey::new(Profile::Aes128CmHmacSha1_80, &key).expect("right length");
    let mut received = reference.to_vec();
    let (len, index) = open.open_rtp(&mut received).expect("authentic");
    assert_eq!((&received[..len], index), (&plain[..], 0x1234));
    let mut rtcp = vec![
        0x81, 0xc8, 0x00, 0x0b, 0xca, 0xfe, 0xba, 0xbe, 0x71, 0x28, 0x03, 0x5b, 0xe4, 0x87, 0xb9, 0xbd, 0xbe, 0xf8,
        0x90, 0x41, 0xf9, 0x77, 0xa5, 0xa8, 0x80, 0x00, 0x00, 0x01, 0x99, 0x3e, 0x08, 0xcd, 0x54, 0xd6, 0xc1, 0x23,
        0x07, 0x98,
    ];
    let len = open.open_rtcp(&mut rtcp).expect("authentic");
    assert_eq!(rtcp[8..len], [0xab; 16]);
}

/// Made with another implementation (libsrtp) from the master key and salt 00 01 02 …
#[test]
fn gcm_agrees_with_another_implementation_from_the_master_key_on() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    };
    for (profile, rtp, rtcp) in [
        (
            Profile::AeadAes128Gcm,
            "800f1234decafbadcafebabe4ad7d8a55fb3fd902db557c94b415ecd17ea3bd1754d1f2808104e868c1cf597",
            "81c8000bcafebabe60b68cb97100e4206ca1c1b44a69f017d387a55d3b720ebc6a4f31cd9316b96180000001",
        ),
        (
            Profile::AeadAes256Gcm,
            "800f1234decafbadcafebabed54ed632a76bff3fa2efbb5597a5d5e87c07497c6b89729d1291317aeef11ba7",
            "81c8000bcafebabe12d596ce61c485e7bae16103356375e982b1916f80021399f9b4c28101aaa9af80000001",
        ),
    ] {
        let mut open = OpenKey::new(profile, &master(profile, 0)).expect("right length");
        let mut packet = hex(rtp);
        let (len, _) = open.open_rtp(&mut packet).expect("authentic");
        assert_eq!(packet[12..len], [0xab; 16]);
        let mut packet = hex(rtcp);
        let len = open.open_rtcp(&mut packet).expect("authentic");
        assert_eq!(packet[8..len], [0xab; 16]);
    }
}

#[test]
fn every_profile_carries_rtp_and_rtcp_and_refuses_a_changed_bit_anywhere() {
    for profile in PROFILES {
        let mut seal = SealKey::new(profile, &master(profile, 9)).expect("right length");
        let mut stream = seal.open_stream(3, 1).expect("first");
        let wire = sealed(&seal, &mut stream, b"forty-two bytes of sound");
        assert_eq!(wire.len(), packet(b"forty-two bytes of sound").2 + profile.rtp_overhead());
        for bit in 0..wire.len() * 8 {
            let mut open = OpenKey::new(profile, &master(profile, 9)).expect("right length");
            let mut changed = wire.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open.open_rtp(&mut changed).is_err(), "{profile:?}, bit {bit}");
            open.open_rtp(&mut wire.clone()).expect("the forgery left no state behind");
        }
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 3];
        compound.extend([0x81, 203, 0, 1, 0, 0, 0, 3]);
        let plain = compound.clone();
        seal.seal_rtcp(&mut compound).expect("long enough");
        assert_ne!(compound[8..16], plain[8..16], "encrypted");
        let mut open = OpenKey::new(profile, &master(profile, 9)).expect("right length");
        let mut copy = compound.clone();
        let len = open.open_rtcp(&mut copy).expect("authentic");
        assert_eq!(copy[..len], plain[..]);
        assert_eq!(open.open_rtcp(&mut compound), Err(SrtpError::Replay));
    }
}

#[test]
fn a_packet_opens_once_and_order_within_the_window_does_not_matter() {
    let profile = Profile::AeadAes128Gcm;
    let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
    let mut open = OpenKey::new(profile, &master(profile, 1)).expect("key");
    let mut stream = seal.open_stream(3, 0x7ff0).expect("first");
    let wires: Vec<_> = (0..300).map(|_| sealed(&seal, &mut stream, b"sound")).collect();
    for at in [0, 2, 1, 120, 20, 119] {
        open.open_rtp(&mut wires[at].clone()).expect("new");
        assert_eq!(open.open_rtp(&mut wires[at].clone()), Err(SrtpError::Replay));
    }
    open.open_rtp(&mut wires[299].clone()).expect("new");
    assert_eq!(open.open_rtp(&mut wires[150].clone()), Err(SrtpError::Replay), "older than the window");
    open.open_rtp(&mut wires[172].clone()).expect("the oldest in the window of 128");
}

#[test]
fn the_roll_over_counter_is_followed_across_many_wraps() {
    for profile in PROFILES {
        let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
        let mut open = OpenKey::new(profile, &master(profile, 1)).expect("key");
        let mut stream = seal.open_stream(3, 0x7fff).expect("first");
        let mut claimed = 0;
        for round in 0u64..40 {
            let index = stream.claim(0x7fff + round * 9_000).expect("ahead");
            claimed = index.value();
            let (mut buf, at, len) = packet(b"x");
            let len = seal.seal_rtp(index, &mut buf, at, len).expect("room");
            let (_, opened) = open.open_rtp(&mut buf[..len]).expect("authentic");
            assert_eq!(opened, claimed);
        }
        assert!(claimed > 5 * 0x1_0000);
    }
}

#[test]
fn a_stream_begins_below_the_middle_and_its_ssrc_is_opened_once() {
    let profile = Profile::AeadAes128Gcm;
    let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
    let mut stream = seal.open_stream(3, 0xffff).expect("first");
    assert_eq!(stream.claim_next().expect("room").sequence(), 0x7fff);
    assert_eq!(seal.open_stream(3, 1).map(|_| ()), Err(SrtpError::SsrcInUse));
}

#[test]
fn keys_of_a_wrong_length_are_refused() {
    for profile in PROFILES {
        assert!(SealKey::new(profile, &[0; 29]).is_err() && OpenKey::new(profile, &[]).is_err());
    }
}

#[test]
fn a_sender_that_restarts_again_and_again_is_always_heard_and_nothing_of_before_opens_twice() {
    for profile in PROFILES {
        let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
        let mut open = OpenKey::new(profile, &master(profile, 1)).expect("key");
        let mut recorded = Vec::new();
        let mut first = None;
        for ssrc in 0..100 {
            let mut stream = seal.open_stream(ssrc, 1).expect("first");
            for _ in 0..3 {
                let wire = sealed(&seal, &mut stream, b"x");
                open.open_rtp(&mut wire.clone()).unwrap_or_else(|error| panic!("SSRC {ssrc}: {error}"));
                recorded.push(wire);
            }
            first.get_or_insert(stream);
        }
        for wire in &recorded {
            assert_eq!(open.open_rtp(&mut wire.clone()), Err(SrtpError::Replay));
        }
        let mut back = first.expect("one hundred");
        open.open_rtp(&mut sealed(&seal, &mut back, b"x")).expect("a source that comes back");
    }
}

#[test]
fn reports_of_ever_new_sources_are_read_too() {
    let profile = Profile::AeadAes128Gcm;
    let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
    let mut open = OpenKey::new(profile, &master(profile, 1)).expect("key");
    for ssrc in 0..100u8 {
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, ssrc];
        seal.seal_rtcp(&mut compound).expect("long enough");
        open.open_rtcp(&mut compound.clone()).unwrap_or_else(|error| panic!("SSRC {ssrc}: {error}"));
        assert_eq!(open.open_rtcp(&mut compound), Err(SrtpError::Replay));
    }
}

#[test]
fn a_speaker_whose_first_packets_are_lost_around_a_wrap_is_heard() {
    for profile in PROFILES {
        let mut seal = SealKey::new(profile, &master(profile, 1)).expect("key");
        let mut stream = seal.open_stream(3, 0x7fff).expect("first");
        let mut open = OpenKey::new(profile, &master(profile, 1)).expect("key");
        for wanted in [0x1_0004, 0x1_0005, 0x1_0007] {
            let index = stream.claim(wanted).expect("ahead");
            let (mut buf, at, len) = packet(b"x");
            let len = seal.seal_rtp(index, &mut buf, at, len).expect("room");
            let mut forged = buf[..len].to_vec();
            forged[len - 1] ^= 1;
            assert_eq!(open.open_rtp(&mut forged), Err(SrtpError::Authentication));
            assert_eq!(open.open_rtp(&mut buf[..len]).expect("authentic").1, wanted);
        }
    }
}

proptest! {
    #[test]
    fn no_index_is_ever_given_out_twice(first: u16, wanted in prop::collection::vec((0u64..400, any::<bool>()), 1..400)) {
        let mut seal = SealKey::new(Profile::AeadAes128Gcm, &master(Profile::AeadAes128Gcm, 1)).expect("key");
        let mut stream = seal.open_stream(1, first).expect("first");
        let mut used = HashSet::new();
        for (step, next) in wanted {
            let claimed = if next { stream.claim_next() } else { stream.claim(u64::from(first & 0x7fff) + step) };
            if let Some(index) = claimed {
                prop_assert!(used.insert(index.value()));
                prop_assert!(index.value() >= u64::from(first & 0x7fff));
            }
        }
    }
}
