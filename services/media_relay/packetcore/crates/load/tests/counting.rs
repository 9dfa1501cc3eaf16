//! Packets are counted by what their sequence numbers say, headers are read as they are, delays by their share.

use majlis_load::count::{Delays, StreamCount};
use majlis_load::wire::{Protocol, RtpView, protocol};

fn count(sequences: impl IntoIterator<Item = u16>) -> StreamCount {
    let mut count = StreamCount::default();
    sequences.into_iter().enumerate().for_each(|(n, sequence)| count.note(sequence, false, (n as u64) << 26));
    count
}

#[test]
fn a_whole_stream_loses_nothing_even_across_the_wrap() {
    let totals = count((0..300u32).map(|n| (65_400 + n) as u16)).totals;
    assert_eq!((totals.received, totals.expected, totals.gaps, totals.late, totals.duplicates), (300, 300, 0, 0, 0));
}

#[test]
fn missing_late_and_doubled_packets_are_told_apart() {
    let totals = count([1, 2, 4, 3, 3, 7, 8, 8]).totals;
    assert_eq!((totals.received, totals.lost()), (6, 2));
    assert_eq!((totals.gaps, totals.late, totals.duplicates), (2, 1, 2));
}

#[test]
fn a_window_counts_from_where_the_stream_is() {
    let mut stream = count([10, 11, 15]);
    stream.begin_window();
    for sequence in [14, 16, 17, 20] {
        stream.note(sequence, false, 0);
    }
    let totals = stream.totals;
    assert_eq!((totals.received, totals.expected, totals.late), (3, 5, 1));
}

#[test]
fn only_quiet_within_a_talk_interrupts() {
    let mut stream = StreamCount::default();
    let second = 1u64 << 32;
    stream.note(1, true, second);
    stream.note(2, false, 2 * second);
    stream.note(3, true, 4 * second);
    assert_eq!(stream.totals.interruptions, 1);
}

#[test]
fn delays_are_told_by_their_share() {
    let mut delays = Delays::default();
    assert_eq!(delays.quantile(0.5), None);
    (1..=100).for_each(|n| delays.note(f64::from(n)));
    assert_eq!((delays.quantile(0.5), delays.quantile(0.99), delays.max()), (Some(50.1), Some(99.1), 100.0));
}

#[test]
fn an_rtp_header_is_read_with_its_sources_and_extensions() {
    let mut packet = vec![0x92, 0x80 | 111, 0x12, 0x34, 0, 0, 3, 0xc0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2];
    packet.extend_from_slice(&[0xbe, 0xde, 0, 3, 0x10, 30, 0x37, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0xff]);
    let view = RtpView::parse(&packet).unwrap();
    assert_eq!((view.sequence, view.timestamp, view.ssrc, view.payload_type, view.marker), (0x1234, 960, 9, 111, true));
    assert_eq!(view.csrcs().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((view.extension(1), view.capture_ntp(3)), (Some(&[30][..]), Some(0x0102_0304_0506_0708)));
    assert_eq!(view.extension(5), None);
    assert!((0..32).all(|cut| RtpView::parse(&packet[..cut]).is_none()));
}

#[test]
fn media_is_told_from_control() {
    assert_eq!(protocol(&[0x80, 111]), Protocol::Rtp);
    assert_eq!(protocol(&[0x80, 0x80 | 111]), Protocol::Rtp);
    for control in [&[0x80, 200][..], &[0x81, 206], &[0x00, 0x01], &[22, 254], &[]] {
        assert_eq!(protocol(control), Protocol::Control, "{control:?}");
    }
}
