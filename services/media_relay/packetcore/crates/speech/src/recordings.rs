//! The recordings: two voices that read sentences, with the pauses that talk has. Made with the synthesizer flite
//! (voices rms and slt) from sentences of our own; -23 and -18 dBov while they speak, as far apart as people are.

use crate::SpeechError;
use std::io::{Cursor, Read, Seek};

/// Whose recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// 36 seconds of a low voice.
    First,
    /// 29 seconds of a higher one.
    Second,
}

impl Voice {
    /// Its samples, 48 kHz mono.
    pub fn samples(self) -> Result<Vec<f32>, SpeechError> {
        let file: &[u8] = match self {
            Self::First => include_bytes!("../recordings/first.ogg"),
            Self::Second => include_bytes!("../recordings/second.ogg"),
        };
        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono)?;
        let mut samples = Vec::new();
        for packet in ogg_packets(Cursor::new(file))? {
            let mut room = [0.0; 5760];
            let decoded = decoder.decode_float(&packet, &mut room, false)?;
            samples.extend_from_slice(&room[..decoded]);
        }
        Ok(samples)
    }
}

/// The Opus packets of an Ogg file (RFC 7845), its two headers left out.
pub fn ogg_packets(file: impl Read + Seek) -> Result<Vec<Vec<u8>>, SpeechError> {
    let mut reader = ogg::PacketReader::new(file);
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet()? {
        packets.push(packet.data);
    }
    if packets.len() <= 2 || !packets[0].starts_with(b"OpusHead") {
        return Err(SpeechError::Unfit("the file holds no Opus"));
    }
    Ok(packets.split_off(2))
}
