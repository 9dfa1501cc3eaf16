//! WebM with Opus, live: the segment and its clusters have no size, so that each packet leaves at once
//! (RFC 8794, RFC 9559; Opus in Matroska as <https://wiki.xiph.org/MatroskaOpus>).

use super::{Line, Mux, MuxError, SAMPLE_RATE, Sound};

const SAMPLES_PER_MS: u64 = SAMPLE_RATE as u64 / 1000;
/// A cluster closes when its sound lasts this long; a block's time is 16 bits of milliseconds from its cluster's.
const CLUSTER_MS: u64 = 1_000;
/// What a decoder needs before a place it jumps to, nanoseconds.
const SEEK_PRE_ROLL: u64 = 80_000_000;
/// A size that nobody knows (RFC 8794 §6.2).
const UNKNOWN: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// Writes one track of Opus.
#[derive(Debug)]
pub struct WebM {
    sound: Sound,
    longest_ms: u64,
    line: Line,
    /// Milliseconds at which the cluster began that is open.
    cluster: Option<u64>,
}

impl WebM {
    /// A live stream.
    pub fn new(sound: Sound) -> Self {
        Self { sound, longest_ms: CLUSTER_MS, line: Line::default(), cluster: None }
    }

    /// The same with clusters of so many samples, up to half a minute.
    pub fn with_longest(mut self, samples: Option<u32>) -> Self {
        self.longest_ms = samples.map_or(self.longest_ms, |samples| (u64::from(samples) / SAMPLES_PER_MS).min(30_000));
        self
    }
}

impl Mux for WebM {
    fn head(&self) -> Vec<u8> {
        let mut ebml = Vec::new();
        uint(&mut ebml, 0x4286, 1);
        uint(&mut ebml, 0x42f7, 1);
        uint(&mut ebml, 0x42f2, 4);
        uint(&mut ebml, 0x42f3, 8);
        element(&mut ebml, 0x4282, b"webm");
        uint(&mut ebml, 0x4287, 4);
        uint(&mut ebml, 0x4285, 2);

        let mut info = Vec::new();
        uint(&mut info, 0x002a_d7b1, 1_000_000);
        element(&mut info, 0x4d80, b"majlis");
        element(&mut info, 0x5741, b"majlis");

        let mut audio = Vec::new();
        element(&mut audio, 0xb5, &f64::from(SAMPLE_RATE).to_be_bytes());
        uint(&mut audio, 0x9f, u64::from(self.sound.channels));
        let mut entry = Vec::new();
        uint(&mut entry, 0xd7, 1);
        uint(&mut entry, 0x73c5, 1);
        uint(&mut entry, 0x83, 2);
        uint(&mut entry, 0x9c, 0);
        element(&mut entry, 0x86, b"A_OPUS");
        element(&mut entry, 0x63a2, &self.sound.opus_head());
        uint(&mut entry, 0x56aa, u64::from(self.sound.pre_skip) * 1_000_000_000 / u64::from(SAMPLE_RATE));
        uint(&mut entry, 0x56bb, SEEK_PRE_ROLL);
        element(&mut entry, 0xe1, &audio);
        let mut tracks = Vec::new();
        element(&mut tracks, 0xae, &entry);

        let mut out = Vec::new();
        element(&mut out, 0x1a45_dfa3, &ebml);
        id(&mut out, 0x1853_8067);
        out.extend(UNKNOWN);
        element(&mut out, 0x1549_a966, &info);
        element(&mut out, 0x1654_ae6b, &tracks);
        out
    }

    fn packet(&mut self, at: u64, packet: &[u8]) -> Result<Vec<u8>, MuxError> {
        let place = self.line.place(at, packet)?;
        let now = place.start / SAMPLES_PER_MS;
        let mut out = Vec::new();
        let begun = match self.cluster {
            Some(begun) if now - begun < self.longest_ms => begun,
            _ => {
                id(&mut out, 0x1f43_b675);
                out.extend(UNKNOWN);
                uint(&mut out, 0xe7, now);
                self.cluster = Some(now);
                now
            }
        };
        let mut block = vec![0x81];
        block.extend(((now - begun) as i16).to_be_bytes());
        block.push(0x80);
        block.extend(packet);
        element(&mut out, 0xa3, &block);
        Ok(out)
    }

    fn cut(&mut self) -> Vec<u8> {
        self.cluster = None;
        Vec::new()
    }

    fn end(&mut self) -> Vec<u8> {
        self.cut()
    }
}

/// An element's name, as many bytes as it has.
fn id(out: &mut Vec<u8>, name: u32) {
    out.extend(name.to_be_bytes().into_iter().skip_while(|&byte| byte == 0));
}

fn element(out: &mut Vec<u8>, name: u32, body: &[u8]) {
    id(out, name);
    // The shortest of three forms of a size (RFC 8794 §4); all ones would say that nobody knows it.
    match body.len() {
        len @ 0..0x7f => out.push(0x80 | len as u8),
        len @ 0x7f..0x3fff => out.extend((0x4000 | len as u16).to_be_bytes()),
        len => {
            out.push(0x08);
            out.extend((len as u32).to_be_bytes());
        }
    }
    out.extend(body);
}

fn uint(out: &mut Vec<u8>, name: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let used = (8 - value.leading_zeros() as usize / 8).max(1);
    element(out, name, &bytes[8 - used..]);
}
