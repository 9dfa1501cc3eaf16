//! RTP and RTCP on the wire, and the limits on what others may make us do.

use majlis_core::demux::{Kind, classify};
use majlis_core::endpoint::Reception;
use majlis_core::limits::{Policer, SourceLimiter, Throttle};
use majlis_core::rtcp::{self, ReportBlock};
use majlis_core::rtp::{Header, Packet, opus_samples};
use majlis_core::{SECOND, WallClock};

#[test]
fn datagrams_are_told_apart_by_their_first_bytes() {
    let kinds = [
        (&[0x00u8, 0x01][..], Kind::Stun),
        (&[22, 254], Kind::Dtls),
        (&[63], Kind::Dtls),
        (&[0x80, 200], Kind::Rtcp),
        (&[0x90, 0x80 | 111], Kind::Rtp),
        (&[0x80, 72], Kind::Rtp),
        (&[0x80], Kind::Unknown),
        (&[4, 1], Kind::Unknown),
        (&[192, 1], Kind::Unknown),
        (&[], Kind::Unknown),
    ];
    kinds.iter().for_each(|(bytes, kind)| assert_eq!(classify(bytes), *kind, "{bytes:?}"));
}

#[test]
fn a_header_reads_back_as_written() {
    let mut buf = [0xff; 200];
    let header = Header {
        marker: true,
        payload_type: 111,
        timestamp: 0x0102_0304,
        csrcs: &[9, 8, 7],
        level: Some((3, 44)),
        capture_time: Some((14, 0x1122_3344_5566_7788)),
    };
    let at = header.write(&mut buf);
    assert_eq!(at % 4, 0);
    let packet = Packet::parse(&buf[..at + 5]).expect("RTP");
    assert_eq!((packet.marker, packet.payload_type, packet.timestamp), (true, 111, 0x0102_0304));
    assert_eq!((packet.csrcs().collect::<Vec<_>>(), packet.payload.len()), (vec![9, 8, 7], 5));
    assert_eq!(
        (packet.audio_level(3), packet.extension(14)),
        (Some(44), Some(&0x1122_3344_5566_7788u64.to_be_bytes()[..]))
    );
    assert_eq!(packet.extension(5), None);
}

#[test]
fn two_byte_extensions_and_padding_are_understood() {
    let mut bytes = vec![0xb0, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0x00, 0, 2, 7, 1, 0x85, 0, 20, 2, 1, 2];
    bytes.extend([1, 2, 3, 0, 2]);
    let packet = Packet::parse(&bytes).expect("RTP");
    assert_eq!((packet.audio_level(7), packet.extension(20)), (Some(5), Some(&[1, 2][..])));
    assert_eq!(packet.payload, [1, 2, 3]);
    bytes[28] = 200;
    assert!(Packet::parse(&bytes).is_none(), "more padding than packet");
}

#[test]
fn opus_durations_are_those_of_rfc_6716() {
    for (payload, samples) in [
        (&[0x00][..], Some(480)),
        (&[0x18], Some(2880)),
        (&[0x60], Some(480)),
        (&[0x78], Some(960)),
        (&[0xf8], Some(960)),
        (&[0xf9], Some(1920)),
        (&[0xfb, 3], Some(2880)),
        (&[0x1b, 3], None),
        (&[0xfb], None),
        (&[], None),
    ] {
        assert_eq!(opus_samples(payload), samples, "{payload:02x?}");
    }
}

#[test]
fn reports_read_back_as_written() {
    let block = ReportBlock {
        ssrc: 7,
        fraction_lost: 25,
        total_lost: -3,
        highest_sequence: 0x0001_0002,
        jitter: 480,
        last_sender_report: 0x1234_5678,
        delay: 65_536,
    };
    let mut compound = Vec::new();
    rtcp::write_sender_report(&mut compound, 1, 0x1122_3344_5566_7788, 9, 10, 11);
    rtcp::write_receiver_report(&mut compound, 1, Some(&block));
    rtcp::write_cname(&mut compound, 1, "relay");
    rtcp::write_goodbye(&mut compound, 1);
    assert_eq!(compound.len() % 4, 0);
    let packets: Vec<_> = rtcp::parse(&compound).collect();
    assert!(matches!(packets[0], rtcp::Packet::SenderReport { ssrc: 1, ntp: 0x1122_3344_5566_7788, timestamp: 9, .. }));
    let rtcp::Packet::ReceiverReport { mut reports, .. } = packets[1] else { panic!("{packets:?}") };
    assert_eq!((reports.next(), reports.next()), (Some(block), None));
    assert!(matches!(packets[2..], [rtcp::Packet::Other { kind: 202 }, rtcp::Packet::Goodbye { ssrc: 1 }]));
    assert_eq!(block.round_trip(0x1234_5678 + 65_536 + 3277), Some(3277), "50 ms");
    assert_eq!(block.round_trip(0x1234_5678 + 65_535), Some(0), "clocks tick on both sides");
}

#[test]
fn reception_counts_loss_in_the_interval_and_jitter_of_a_steady_stream_is_nil() {
    let mut reception = Reception::new(7, 100);
    for packet in (0..100u64).filter(|packet| packet % 4 != 3) {
        reception.receive(100 + packet, packet as u32 * 960, packet * 20_000);
    }
    let report = reception.report(2 * SECOND);
    assert_eq!((report.total_lost, report.highest_sequence, report.jitter), (24, 198, 0));
    assert_eq!(report.fraction_lost, (24 * 256 / 99) as u8);
    reception.receive(199, 0, 2 * SECOND);
    assert_eq!(reception.report(3 * SECOND).fraction_lost, 0, "a new interval");
}

#[test]
fn one_source_may_begin_so_many_handshakes_and_another_is_not_held_back() {
    let mut limiter = SourceLimiter::new(50);
    let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    assert_eq!((0..200).filter(|_| limiter.allow(one, 0)).count(), 50);
    assert!(limiter.allow(other, 0));
    assert_eq!((0..200).filter(|_| limiter.allow(one, SECOND / 2)).count(), 25);
    let neighbour = |host: u16| [0x2001, 0xdb8, 0, 1, 0, 0, 0, host].into();
    assert_eq!((0..200).filter(|host| limiter.allow(neighbour(*host), 0)).count(), 50, "a /64 is one source");
}

#[test]
fn the_policer_follows_the_frame_length() {
    for (samples, per_second, allowed) in
        [(960, 100, 10), (960, 200, 11), (480, 200, 10), (2880, 50, 11), (120, 400, 11)]
    {
        let mut policer = Policer::new(0);
        let passed = (0..10 * per_second).filter(|at| policer.allow(samples, at * SECOND / per_second)).count() as u64;
        let most = 10 * 96_000 / u64::from(samples.max(480)) + 48_000 / u64::from(samples.max(480)) + 1;
        assert!(passed <= most, "{samples}: {passed} of {most}");
        assert_eq!(passed == 10 * per_second, allowed == 10, "{samples} at {per_second}/s: {passed}");
    }
}

#[test]
fn log_lines_are_throttled_and_the_suppressed_ones_counted() {
    let mut throttle = Throttle::new(10, 0);
    assert_eq!((0..1000).filter(|_| throttle.allow(0).is_some()).count(), 10);
    assert_eq!(throttle.allow(SECOND), Some(990));
}

#[test]
fn wall_time_follows_the_monotonic_clock() {
    let clock = WallClock::new(5 * SECOND, 100 << 32);
    assert_eq!(clock.ntp(7 * SECOND) >> 32, 102);
    assert_eq!(clock.ntp(4 * SECOND + SECOND / 2), (99 << 32) + (1 << 31));
}
