//! Datagrams over TCP: found again however the stream was cut, and given up when their connection stalls.

use majlis_core::framing::{Deframer, FrameError, MAX_AGE, MAX_URGENT, MAX_WAITING, Outbox, head};
use majlis_core::{MTU, SECOND};
use proptest::prelude::*;

fn framed(datagrams: &[Vec<u8>]) -> Vec<u8> {
    datagrams.iter().flat_map(|datagram| [&head(datagram.len())[..], datagram].concat()).collect()
}

/// All datagrams of a stream that comes in these pieces.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, FrameError> {
    let (mut deframer, mut found) = (Deframer::default(), Vec::new());
    for piece in pieces {
        deframer.take(piece, |datagram| {
            found.push(datagram.to_vec());
            Ok::<(), FrameError>(())
        })?;
    }
    Ok(found)
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_datagrams(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=MTU), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = framed(&datagrams);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(read(pieces), Ok(datagrams));
    }

    #[test]
    fn what_goes_through_an_outbox_is_whole_datagrams_in_order_and_within_its_bounds(
        acts in prop::collection::vec((any::<bool>(), 1..400usize, 0..300u64), 1..200),
    ) {
        let (mut outbox, mut now, mut stream, mut put, mut skipped) = (Outbox::default(), 0, Vec::new(), 0u32, 0);
        for (takes, size, wait) in acts {
            now += wait * 1_000;
            if takes {
                if let Some(bytes) = outbox.front(now) {
                    let taken = bytes.len().min(size);
                    stream.extend_from_slice(&bytes[..taken]);
                    outbox.advance(taken);
                }
            } else {
                let mut datagram = vec![128; size + 8];
                datagram[4..8].copy_from_slice(&put.to_be_bytes());
                outbox.put(&datagram, now);
                put += 1;
            }
            skipped += outbox.take_skipped();
            prop_assert!(outbox.waiting() <= MAX_WAITING);
        }
        while let Some(bytes) = outbox.front(now) {
            let all = bytes.len();
            stream.extend_from_slice(bytes);
            outbox.advance(all);
        }
        skipped += outbox.take_skipped();
        let numbers: Vec<u32> = read(std::iter::once(&stream[..])).expect("whole datagrams").iter()
            .map(|datagram| u32::from_be_bytes([datagram[4], datagram[5], datagram[6], datagram[7]]))
            .collect();
        prop_assert!(numbers.is_sorted_by(|one, next| one < next));
        prop_assert_eq!(numbers.len() as u64 + skipped, u64::from(put), "each is sent or given up, and counted");
    }
}

#[test]
fn other_protocols_and_empty_datagrams_end_a_connection_at_their_first_bytes() {
    for (bytes, why) in [
        (&b"GET / HTTP/1.1\r\n"[..], FrameError::TooLong),
        (&b"GE"[..], FrameError::TooLong),
        (&[22, 3, 1, 2, 0], FrameError::TooLong),
        (&b"SSH-2.0-"[..], FrameError::TooLong),
        (&[0, 0], FrameError::Empty),
        (&[0, 1, 7, 0, 0, 1], FrameError::Empty),
    ] {
        assert_eq!(read(std::iter::once(bytes)), Err(why), "{bytes:?}");
        assert_eq!(read(bytes.chunks(1)), Err(why), "{bytes:?} byte by byte");
    }
    let longest = framed(&[vec![1; MTU]]);
    assert_eq!(read(longest.chunks(7)).map(|found| found.len()), Ok(1));
}

/// Everything that is ready now, as one stream.
fn drained(outbox: &mut Outbox, now: u64) -> Vec<Vec<u8>> {
    let mut stream = Vec::new();
    while let Some(bytes) = outbox.front(now) {
        let all = bytes.len();
        stream.extend_from_slice(bytes);
        outbox.advance(all);
    }
    read(std::iter::once(&stream[..])).expect("whole datagrams")
}

fn sound(number: u8) -> Vec<u8> {
    [&[128, 111, number][..], &[0; 100]].concat()
}

#[test]
fn a_listener_who_stalls_hears_what_is_said_now_and_not_what_was_said_long_ago() {
    let mut outbox = Outbox::default();
    for number in 0..150 {
        outbox.put(&sound(number), u64::from(number) * SECOND / 50);
    }
    let heard = drained(&mut outbox, 3 * SECOND);
    assert!((1..=100).contains(&heard.len()), "{}", heard.len());
    assert_eq!(heard.last(), Some(&sound(149)));
    assert_eq!(outbox.take_skipped() as usize, 150 - heard.len());
    outbox.put(&sound(0), 3 * SECOND);
    assert!(drained(&mut outbox, 3 * SECOND + MAX_AGE + 1).is_empty(), "nor what became old while nothing was said");
    assert!(outbox.is_empty());
}

#[test]
fn answers_to_checks_and_handshakes_go_before_sound_but_into_no_datagram() {
    let (check, hello) = (vec![1, 1, 0, 0], vec![22, 254, 253]);
    let mut outbox = Outbox::default();
    outbox.put_rest(&sound(0), 5);
    outbox.put(&sound(1), 0);
    outbox.put(&check, 0);
    outbox.put(&hello, 0);
    let mut stream = framed(&[sound(0)])[..5].to_vec();
    while let Some(bytes) = outbox.front(0) {
        let taken = bytes.len().min(10);
        stream.extend_from_slice(&bytes[..taken]);
        outbox.advance(taken);
    }
    assert_eq!(read(std::iter::once(&stream[..])), Ok(vec![sound(0), check, hello, sound(1)]));
}

#[test]
fn answers_that_nobody_takes_have_a_bound_of_their_own() {
    let mut outbox = Outbox::default();
    outbox.put(&sound(0), 0);
    for _ in 0..10_000 {
        outbox.put(&[1; 100], 0);
    }
    assert!(outbox.waiting() <= MAX_URGENT + 200, "{}", outbox.waiting());
    assert_eq!(drained(&mut outbox, 0).last(), Some(&sound(0)), "and sound keeps its place");
}
