//! What mixed sound goes through: limiter and encoder, which begin anew each time that mixing takes over.

use crate::codec::{CodecError, Coding, FRAME, ProgrammeEncoder};
use crate::limiter::Limiter;
use crate::parcel::LONG_FRAME;
use majlis_programme::Payload;

/// Limiter and encoder of a programme.
pub struct Desk {
    limiter: Limiter,
    encoder: ProgrammeEncoder,
    /// The next frame follows on frames of another encoder.
    alone: bool,
    /// Its frames alone are heard, and no other encoder's: there is no seam, and nothing begins anew.
    thrift: bool,
    coding: Option<Coding>,
}

impl Desk {
    /// A desk that was never used.
    pub fn new(bits_per_second: u32, complexity: u8, thrift: bool) -> Result<Self, CodecError> {
        let mut encoder = ProgrammeEncoder::new(bits_per_second, complexity)?;
        if thrift {
            encoder.be_thrifty()?;
        }
        Ok(Self { limiter: Limiter::new(), encoder, alone: true, thrift, coding: None })
    }

    /// Forgets the past.
    pub fn begin(&mut self) {
        self.limiter = Limiter::new();
        if self.thrift {
            return;
        }
        self.encoder.reset();
        self.alone = true;
    }

    /// Takes sound that listeners had by another way.
    pub fn prime(&mut self, mut mix: [f32; FRAME]) {
        self.limiter.process(&mut mix);
        if self.thrift {
            return;
        }
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

    /// The next frame of 60 ms.
    pub fn encode_long(&mut self, mix: &[f32; LONG_FRAME]) -> Option<Payload> {
        Payload::new(self.encoder.encode_long(mix).ok()?).ok()
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
