//! Containers: what players rely on. That real players play them is shown in tests/integration/programme.

use majlis_programme::mux::{Fmp4, Mux, MuxError, Ogg, Sound, WebM};

const SOUND: Sound = Sound { channels: 1, pre_skip: 312 };
/// One frame of 20 ms, CELT fullband.
const TOC: u8 = 31 << 3;

fn all() -> [Box<dyn Mux>; 3] {
    [Box::new(Ogg::new(SOUND, 7)), Box::new(WebM::new(SOUND)), Box::new(Fmp4::new(SOUND))]
}

fn packet(fill: u8) -> Vec<u8> {
    [vec![TOC], vec![fill; 300]].concat()
}

/// The pages of an Ogg file: flags, position, sequence, packets that end in it.
fn pages(mut bytes: &[u8]) -> Vec<(u8, u64, u32, usize)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        assert_eq!(&bytes[..5], b"OggS\0");
        let segments = usize::from(bytes[26]);
        let lacing = &bytes[27..27 + segments];
        let body: usize = lacing.iter().map(|&each| usize::from(each)).sum();
        let packets = lacing.iter().filter(|&&each| each < 255).count();
        let position = u64::from_le_bytes(bytes[6..14].try_into().unwrap());
        let sequence = u32::from_le_bytes(bytes[18..22].try_into().unwrap());
        found.push((bytes[5], position, sequence, packets));
        bytes = &bytes[27 + segments + body..];
    }
    found
}

#[test]
fn what_is_no_opus_packet_is_refused_and_changes_nothing() {
    for mut mux in all() {
        let good = mux.packet(0, &packet(1)).unwrap();
        for junk in [&[][..], &[TOC | 3], &[TOC | 3, 0], &[TOC | 3, 63]] {
            assert_eq!(mux.packet(960, junk), Err(MuxError::NotOpus));
        }
        assert_eq!(mux.packet(0, &packet(1)), Err(MuxError::TooOld));
        let rest = [good, mux.packet(960, &packet(2)).unwrap(), mux.end()].concat();
        let body = [2u8; 300];
        assert_eq!(rest.windows(300).filter(|window| *window == body).count(), 1);
    }
}

#[test]
fn clocks_that_drift_a_little_make_no_gap() {
    let mut exact = Ogg::new(SOUND, 7);
    let mut drifting = Ogg::new(SOUND, 7);
    for index in 0..100 {
        let wobble = [0, 100, 200, 50][index as usize % 4];
        let one = exact.packet(index * 960, &packet(0)).unwrap();
        assert_eq!(one, drifting.packet(index * 960 + wobble, &packet(0)).unwrap());
    }
}

#[test]
fn an_ogg_file_counts_its_pages_and_ends_where_its_sound_ends() {
    let mut mux = Ogg::new(SOUND, 7);
    let mut file = mux.head();
    for index in 0..25 {
        file.extend(mux.packet(index * 960, &packet(0)).unwrap());
    }
    file.extend(mux.end());
    let found = pages(&file);
    let sequences: Vec<u32> = found.iter().map(|page| page.2).collect();
    assert_eq!(sequences, (0..sequences.len() as u32).collect::<Vec<_>>());
    let flags: Vec<u8> = found.iter().map(|page| page.0).collect();
    assert_eq!((flags.first(), flags.last()), (Some(&2), Some(&4)));
    assert_eq!(found.iter().map(|page| page.3).sum::<usize>(), 2 + 25);
    assert_eq!(found.last().unwrap().1, 25 * 960);
}

#[test]
fn a_gap_in_ogg_is_filled_with_frames_that_say_they_are_lost() {
    let mut mux = Ogg::new(SOUND, 7);
    mux.packet(0, &packet(0)).unwrap();
    let rest = [mux.packet(960 + 48_000, &packet(1)).unwrap(), mux.end()].concat();
    // A second: eight times 120 ms, and 40 ms.
    assert_eq!(rest.windows(2).filter(|window| *window == [TOC | 3, 6]).count(), 8);
    assert_eq!(rest.windows(2).filter(|window| *window == [TOC | 3, 2]).count(), 1);
    assert_eq!(pages(&rest).last().unwrap().1, 48_000 + 2 * 960);
}

#[test]
fn an_hour_and_more_of_nothing_is_a_jump_and_no_flood_of_bytes() {
    for mut mux in all() {
        mux.packet(0, &packet(0)).unwrap();
        let after = [mux.packet(48_000 * 7200, &packet(1)).unwrap(), mux.end()].concat();
        assert!(after.len() < 2000, "{}", after.len());
    }
}

#[test]
fn a_page_of_ogg_never_holds_more_than_its_table_can_say() {
    let mut mux = Ogg::new(SOUND, 7);
    let mut file = mux.head();
    file.extend(mux.packet(0, &packet(0)).unwrap());
    file.extend(mux.packet(48_000 * 600, &[vec![TOC], vec![0; 1275]].concat()).unwrap());
    file.extend(mux.end());
    assert_eq!(pages(&file).last().unwrap().1, 48_000 * 600 + 960);
}

#[test]
fn a_cluster_of_webm_and_a_fragment_of_mp4_begin_anew_after_a_gap() {
    let mut webm = WebM::new(SOUND);
    let mut mp4 = Fmp4::new(SOUND);
    for mux in [&mut webm as &mut dyn Mux, &mut mp4] {
        mux.packet(0, &packet(0)).unwrap();
    }
    let cluster = webm.packet(96_000, &packet(1)).unwrap();
    assert_eq!(&cluster[..4], [0x1f, 0x43, 0xb6, 0x75]);
    let fragment = mp4.packet(96_000, &packet(1)).unwrap();
    assert_eq!(&fragment[4..8], b"moof");
}

#[test]
fn what_follows_a_cut_is_a_piece_of_its_own() {
    for mut mux in all() {
        let mut pieces = Vec::new();
        for piece in 0..3u8 {
            let mut bytes = Vec::new();
            for frame in 0..4 {
                let at = (u64::from(piece) * 4 + frame) * 960;
                bytes.extend(mux.packet(at, &packet(piece)).unwrap());
            }
            bytes.extend(mux.cut());
            pieces.push(bytes);
        }
        let begin = &pieces[0][..4];
        for (piece, bytes) in pieces.iter().enumerate() {
            assert_eq!(&bytes[..4], begin, "each begins as the first: a cluster, a fragment, a page");
            let body = [piece as u8; 300];
            assert_eq!(bytes.windows(300).filter(|window| *window == body).count(), 4, "and holds its own packets");
        }
        assert!(mux.cut().is_empty(), "nothing waits after a cut");
    }
}

#[test]
fn an_ogg_stream_that_begins_late_begins_where_its_sound_does() {
    let mut mux = Ogg::new(SOUND, 7);
    let mut bytes = mux.packet(48_000 * 60, &packet(1)).unwrap();
    bytes.extend(mux.cut());
    let (_, position, _, packets) = pages(&bytes)[0];
    assert_eq!((position, packets), (48_000 * 60 + 960, 1), "no minute of silence before it");
}
