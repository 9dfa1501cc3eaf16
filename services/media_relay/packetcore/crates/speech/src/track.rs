//! What a microphone sends of a recording, packet by packet, over and over.

use crate::{PACKET, SpeechError};

/// One packet of 20 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The Opus packet.
    pub payload: Vec<u8>,
    /// Level, -dBov (RFC 6464).
    pub level: u8,
    /// The first after a pause in which nothing was sent.
    pub first: bool,
}

impl Packet {
    /// Whether somebody speaks in it.
    pub fn loud(&self) -> bool {
        self.level < 50
    }
}

/// What is sent in each 20 ms of a recording: a packet, or nothing in silence.
#[derive(Debug, Clone)]
pub struct Track {
    slots: Vec<Option<Packet>>,
}

impl Track {
    /// Encodes samples as browsers do: 32 kbit/s, for voice, with FEC and without packets in silence. What does not
    /// fill a packet at the end is left out.
    pub fn new(samples: &[f32]) -> Result<Self, SpeechError> {
        let (frames, _) = samples.as_chunks::<PACKET>();
        if frames.is_empty() {
            return Err(SpeechError::Unfit("the sound is shorter than a packet"));
        }
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?;
        encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(5)?;
        encoder.set_dtx(true)?;
        let mut slots = Vec::new();
        // The end meets the beginning without a step: what is kept was encoded after a first time round.
        for _ in 0..2 {
            slots.clear();
            for frame in frames {
                let payload = encoder.encode_vec_float(frame, 1275)?;
                slots.push(Packet { payload, level: level(frame), first: false });
            }
        }
        Ok(Self { slots: without_silence(slots) })
    }

    /// What is sent in that 20 ms since the beginning; after the end it begins anew.
    pub fn at(&self, slot: u64) -> Option<&Packet> {
        self.slots[(slot % self.slots.len() as u64) as usize].as_ref()
    }

    /// How many times 20 ms until it begins anew.
    pub fn slots(&self) -> u64 {
        self.slots.len() as u64
    }
}

/// Of packets that say "silence" only the first is sent, as WebRTC does: the encoder itself refreshes them now and then.
fn without_silence(packets: Vec<Packet>) -> Vec<Option<Packet>> {
    let silent = |packet: &Packet| packet.payload.len() <= 2;
    let mut resting = packets.last().is_some_and(silent);
    let send = |mut packet: Packet| {
        let rested = std::mem::replace(&mut resting, silent(&packet));
        packet.first = rested;
        (!(rested && resting)).then_some(packet)
    };
    packets.into_iter().map(send).collect()
}

/// Root mean square as RFC 6464 has it: -dBov, 0 to 127.
pub fn level(pcm: &[f32]) -> u8 {
    let power = pcm.iter().map(|sample| sample * sample).sum::<f32>() / pcm.len().max(1) as f32;
    (-10.0 * power.max(1e-13).log10()).round().clamp(0.0, 127.0) as u8
}
