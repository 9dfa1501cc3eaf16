//! What mixed sound goes through: limiter and encoder, which begin anew each time that mixing takes over.

use crate::codec::{CodecError, Coding, FRAME, ProgrammeEncoder};
use crate::limiter::Limiter;
use majlis_programme::Payload;

/// Limiter and encoder of a programme.
pub struct Desk {
    limiter: Limiter,
    encoder: ProgrammeEncoder,
    /// The next frame follows on frames of another encoder.
    alone: bool,
    coding: Option<Coding>,
}

impl Desk {
    /// A desk that was never used.
    pub fn new(bits_per_second: u32, complexity: u8) -> Result<Self, CodecError> {
        let encoder = ProgrammeEncoder::new(bits_per_second, complexity)?;
        Ok(Self { limiter: Limiter::new(), encoder, alone: true, coding: None })
    }

    /// Forgets the past.
    pub fn begin(&mut self) {
        self.limiter = Limiter::new();
        self.encoder.reset();
        self.alone = true;
    }

    /// Takes sound that listeners had by another way.
    pub fn prime(&mut self, mut mix: [f32; FRAME]) {
        self.limiter.process(&mut mix);
        // A refusal leaves the encoder as it was: a seam that is less smooth.
        let _ = self.encoder.encode(&mix);
    }

    /// Keeps peaks off the encoder.
    pub fn limit(&mut self, mix: &mut [f32; FRAME]) {
        self.limiter.process(mix);
    }

    /// Codes as another encoder does, whose packets may follow; by its own choice when there is none.
    pub fn follow(&mut self, coding: Option<Coding>) {
        if self.coding != coding {
            self.coding = coding;
            self.encoder.prefer(coding);
        }
    }

    /// The next frame.
    pub fn encode(&mut self, mix: &[f32; FRAME]) -> Option<Payload> {
        let alone = std::mem::take(&mut self.alone);
        let encoded = if alone { self.encoder.encode_alone(mix) } else { self.encoder.encode(mix) };
        Payload::new(encoded.ok()?).ok()
    }

    /// Takes effect with the next frame.
    pub fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        self.encoder.set_bitrate(bits_per_second)
    }

    /// Takes effect with the next frame.
    pub fn set_complexity(&mut self, complexity: u8) {
        self.encoder.set_complexity(complexity);
    }
}
