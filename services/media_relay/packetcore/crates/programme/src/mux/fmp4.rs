//! Fragmented MP4 with Opus (ISO/IEC 14496-12, CMAF; "Encapsulation of Opus in ISO Base Media File Format" 0.8.1).

use super::{Line, Mux, MuxError, SAMPLE_RATE, Sound};

/// A fragment closes when its sound lasts this long, unless it is told otherwise.
const FRAGMENT_SAMPLES: u64 = SAMPLE_RATE as u64 / 2;
/// Of an ISO matrix that changes nothing.
const UNITY: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// Writes one track of Opus.
#[derive(Debug)]
pub struct Fmp4 {
    sound: Sound,
    longest: u64,
    line: Line,
    sequence: u32,
    /// Where the fragment begins that is filling.
    start: u64,
    /// Samples and bytes of each of its packets.
    runs: Vec<(u32, u32)>,
    data: Vec<u8>,
}

impl Fmp4 {
    /// A live stream: an initialisation segment, then fragments.
    pub fn new(sound: Sound) -> Self {
        let (longest, line) = (FRAGMENT_SAMPLES, Line::default());
        Self { sound, longest, line, sequence: 0, start: 0, runs: Vec::new(), data: Vec::new() }
    }

    /// The same with fragments of so many samples.
    pub fn with_longest(mut self, samples: Option<u32>) -> Self {
        self.longest = samples.map_or(self.longest, u64::from);
        self
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.runs.is_empty() {
            return;
        }
        self.sequence += 1;
        let runs = std::mem::take(&mut self.runs);
        let begin = out.len();
        let mut offset_at = 0;
        nest(out, b"moof", |out| {
            full(out, b"mfhd", 0, 0, |out| number(out, self.sequence));
            nest(out, b"traf", |out| {
                // The base of offsets is this fragment.
                full(out, b"tfhd", 0, 0x02_0000, |out| number(out, 1));
                full(out, b"tfdt", 1, 0, |out| out.extend(self.start.to_be_bytes()));
                // Offset of the data; each sample's duration and size.
                full(out, b"trun", 0, 0x301, |out| {
                    number(out, runs.len() as u32);
                    offset_at = out.len();
                    number(out, 0);
                    for &(samples, bytes) in &runs {
                        number(out, samples);
                        number(out, bytes);
                    }
                });
            });
        });
        let offset = (out.len() - begin + 8) as u32;
        out[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
        let data = std::mem::take(&mut self.data);
        nest(out, b"mdat", |out| out.extend(data));
    }
}

impl Mux for Fmp4 {
    fn head(&self) -> Vec<u8> {
        let mut out = Vec::new();
        nest(&mut out, b"ftyp", |out| {
            out.extend(b"iso6\0\0\0\0iso6cmfcmp41");
        });
        nest(&mut out, b"moov", |out| {
            full(out, b"mvhd", 0, 0, movie);
            nest(out, b"trak", |out| self.track(out));
            nest(out, b"mvex", |out| {
                full(out, b"trex", 0, 0, |out| [1, 1, 0, 0, 0].into_iter().for_each(|each| number(out, each)));
            });
        });
        out
    }

    fn packet(&mut self, at: u64, packet: &[u8]) -> Result<Vec<u8>, MuxError> {
        let place = self.line.place(at, packet)?;
        let mut out = Vec::new();
        if place.gap > 0 {
            self.close(&mut out);
        }
        if self.runs.is_empty() {
            self.start = place.start;
        }
        self.runs.push((place.samples, packet.len() as u32));
        self.data.extend(packet);
        if self.line.end - self.start >= self.longest {
            self.close(&mut out);
        }
        Ok(out)
    }

    fn cut(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.close(&mut out);
        out
    }

    fn end(&mut self) -> Vec<u8> {
        self.cut()
    }
}

impl Fmp4 {
    fn track(&self, out: &mut Vec<u8>) {
        // Enabled, in the movie.
        full(out, b"tkhd", 0, 3, |out| {
            [0, 0, 1, 0, 0, 0, 0, 0].into_iter().for_each(|each| number(out, each));
            out.extend([1, 0, 0, 0]); // full volume
            UNITY.into_iter().for_each(|each| number(out, each));
            number(out, 0);
            number(out, 0);
        });
        nest(out, b"edts", |out| {
            full(out, b"elst", 0, 0, |out| {
                number(out, 1);
                number(out, 0); // as long as the fragments go on
                number(out, u32::from(self.sound.pre_skip));
                number(out, 0x0001_0000);
            });
        });
        nest(out, b"mdia", |out| {
            full(out, b"mdhd", 0, 0, |out| {
                [0, 0, SAMPLE_RATE, 0].into_iter().for_each(|each| number(out, each));
                out.extend([0x55, 0xc4, 0, 0]); // language undetermined
            });
            full(out, b"hdlr", 0, 0, |out| out.extend(b"\0\0\0\0soun\0\0\0\0\0\0\0\0\0\0\0\0\0"));
            nest(out, b"minf", |out| {
                full(out, b"smhd", 0, 0, |out| number(out, 0));
                nest(out, b"dinf", |out| {
                    full(out, b"dref", 0, 0, |out| {
                        number(out, 1);
                        full(out, b"url ", 0, 1, |_| {}); // in this very file
                    });
                });
                nest(out, b"stbl", |out| self.samples(out));
            });
        });
    }

    fn samples(&self, out: &mut Vec<u8>) {
        full(out, b"stsd", 0, 0, |out| {
            number(out, 1);
            nest(out, b"Opus", |out| {
                out.extend([0, 0, 0, 0, 0, 0, 0, 1]); // reserved; the one data reference
                out.extend([0; 8]);
                out.extend([0, self.sound.channels, 0, 16, 0, 0, 0, 0]);
                number(out, SAMPLE_RATE << 16);
                nest(out, b"dOps", |out| {
                    out.extend([0, self.sound.channels]);
                    out.extend(self.sound.pre_skip.to_be_bytes());
                    number(out, SAMPLE_RATE);
                    out.extend([0, 0, 0]); // no gain, channels as they are
                });
            });
        });
        for name in [b"stts", b"stsc", b"stco"] {
            full(out, name, 0, 0, |out| number(out, 0));
        }
        full(out, b"stsz", 0, 0, |out| out.extend([0; 8]));
    }
}

fn movie(out: &mut Vec<u8>) {
    [0, 0, SAMPLE_RATE, 0, 0x0001_0000].into_iter().for_each(|each| number(out, each));
    out.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // full volume
    UNITY.into_iter().for_each(|each| number(out, each));
    out.extend([0; 24]);
    number(out, 2);
}

fn number(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

/// A box: its length, its name, what `fill` writes.
fn nest(out: &mut Vec<u8>, name: &[u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    number(out, 0);
    out.extend(name);
    fill(out);
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A box with a version and flags.
fn full(out: &mut Vec<u8>, name: &[u8; 4], version: u8, flags: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    nest(out, name, |out| {
        number(out, u32::from(version) << 24 | flags);
        fill(out);
    });
}
