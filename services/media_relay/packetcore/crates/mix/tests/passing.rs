//! A lone speaker's packets are the programme as they came; what goes through the mixer is what must.

mod support;

use majlis_mix::Mixer;
use majlis_programme::ProgrammeFrame;
use support::*;

/// How often mixing took over, by reason.
fn why(mixer: &Mixer) -> Vec<(&'static str, u64)> {
    mixer.seams().filter(|(_, count)| *count > 0).collect()
}

fn payloads(frames: &[Option<ProgrammeFrame>]) -> Vec<Vec<u8>> {
    frames.iter().flatten().map(|frame| frame.payload.as_slice().to_vec()).collect()
}

#[test]
fn a_lone_speakers_packets_are_the_programme_bit_by_bit() {
    let mut mixer = mixer([1, 2]);
    let arrivals = steady(&mut Voice::browser(1, speech(1, 0.3)), 1, 300_000, 500);
    let sent: Vec<Vec<u8>> = arrivals.iter().map(|(_, _, sent)| sent.payload.clone()).collect();
    let frames = run(&mut mixer, arrivals, 515);
    println!("{:?} {:?}", mixer.totals(), why(&mixer));
    for f in frames.iter().take(60) {
        println!("{:?}", f.map(|f| (f.sequence, f.level, f.payload.as_slice().len())));
    }
    let heard = payloads(&frames);
    let first = sent.iter().position(|packet| *packet == heard[0]).expect("his");
    assert!(first <= 2, "from packet {first} on");
    assert_eq!(heard[..480], sent[first..first + 480]);
    let frames: Vec<_> = frames.iter().flatten().collect();
    assert!(frames.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert!(frames.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(960)));
    assert_eq!((mixer.totals().to_passing, mixer.totals().to_mixing), (1, 0), "nothing was mixed");
}
