//! A speaker who is decoded: exactly 20 ms of sound at each tick, whatever the network did.

use super::Speaker;
use crate::codec::{CONCEAL_STEP, CodecError, FRAME, LAG};
use crate::level::dbov;
use crate::pass::{TOO_EARLY, TOO_LATE};
use crate::timescale;
use majlis_programme::OpusPacket;

/// Longest concealment without any packet before the speaker counts as gone, samples (120 ms).
const STARVED_LIMIT: usize = 5760;
/// Overlap between an extrapolation and the packet that ends it, samples (5 ms).
const OVERLAP: usize = 240;
/// Sound that fades when a speaker is cut off, samples (10 ms).
pub(super) const TAIL: usize = 480;
/// Samples of silence before his first, so that a frame of his begins where one that is passed would: [`LAG`] before
/// the end of what is mixed with it.
const IN_PHASE: usize = FRAME - LAG as usize;
/// From here on the best cut is taken even if it may be heard, samples (80 ms).
const FAR_TOO_LATE: i64 = 3840;
/// From here on sound is skipped, samples (300 ms).
const HOPELESS: i64 = 14_400;
/// Quieter than this may be cut or repeated anywhere, dBov.
const QUIET: f32 = -60.0;

impl Speaker {
    /// Writes the sound of the tick at sample time `now` into `out`; false when there is none.
    pub fn pull(&mut self, now: i64, out: &mut [f32; FRAME]) -> bool {
        self.begin_if_due(now);
        if self.playing.is_some() {
            self.fill(now, FRAME);
            self.keep_time(now);
        }
        if self.ready.is_empty() {
            return false;
        }
        let count = self.ready.len().min(FRAME);
        out[..count].copy_from_slice(&self.ready[..count]);
        out[count..].fill(0.0);
        if count < FRAME {
            fade_out(&mut out[..count]);
        }
        self.ready.drain(..count);
        true
    }

    fn begin_if_due(&mut self, now: i64) {
        let Some(first) = self.buffer.front().map(|first| first.timestamp) else { return };
        if self.playing.is_none() && now >= self.buffer.due(first - IN_PHASE as i64) {
            // In phase with his packets, so that they may be passed as soon as nobody else is heard.
            self.ready.resize(self.ready.len().max(IN_PHASE), 0.0);
            self.playing = Some(first);
            self.starved = 0;
            self.resting = false;
            self.rejoin = false;
        }
    }

    /// No more sound follows but a tail of what is playing, which fades.
    pub(super) fn stop(&mut self) {
        if self.playing.take().is_some() && self.ready.len() < TAIL {
            // Without a tail the sound would just break off, which can be borne.
            let _ = self.decoder.conceal(TAIL, &mut self.ready);
        }
        self.starved = 0;
        self.ready.truncate(TAIL);
    }

    /// Decodes, rebuilds or conceals until `wanted` samples are ready or the speaker has gone.
    pub(super) fn fill(&mut self, now: i64, wanted: usize) {
        // Each turn adds at least 2.5 ms or ends the loop; the bound only guards against an error in that.
        for _ in 0..64 {
            let Some(position) = self.playing.filter(|_| self.ready.len() < wanted) else { return };
            let result = match self.buffer.front().map(|next| next.timestamp - position) {
                None => self.starve(),
                Some(gap) if gap < (self.starved + CONCEAL_STEP) as i64 => self.take_packet(),
                Some(_) => self.bridge(position, now),
            };
            if result.is_err() {
                // A packet libopus refuses is a lost packet: its time is concealed by the next turn.
                self.counters.malformed += 1;
            }
        }
    }

    /// Decodes the next packet, joined smoothly to an extrapolation that ran before it.
    fn take_packet(&mut self) -> Result<(), CodecError> {
        let Some(packet) = self.buffer.pop() else { return Ok(()) };
        self.starved = 0;
        self.playing = Some(packet.timestamp);
        self.sequence = Some(packet.sequence);
        self.resting = OpusPacket::parse(&packet.payload).is_ok_and(|parsed| parsed.is_dtx());
        let overlap_at = self.ready.len();
        let join = std::mem::take(&mut self.rejoin);
        if join {
            self.decoder.conceal(OVERLAP, &mut self.ready)?;
        }
        let decoded_at = self.ready.len();
        let made = self.decoder.decode(&packet.payload, &mut self.ready)?;
        self.playing = Some(packet.timestamp + made as i64);
        let measured = dbov(&self.ready[decoded_at..]);
        if join {
            overlap(&mut self.ready, overlap_at, decoded_at);
        }
        self.note_decoded(packet, measured);
        Ok(())
    }

    /// The next packet lies further ahead: a pause of the sender, or loss.
    fn bridge(&mut self, position: i64, now: i64) -> Result<(), CodecError> {
        let position = position + self.starved as i64;
        self.starved = 0;
        self.playing = Some(position);
        let Some(next) = self.buffer.front() else { return Ok(()) };
        let gap = (next.timestamp - position).max(0) as usize;
        // No number is missing: the sender paused, which is not loss.
        let paused = self.resting || self.sequence.is_some_and(|last| last + 1 == next.sequence);
        if paused || gap > STARVED_LIMIT {
            let first = next.timestamp;
            if now >= self.buffer.due(first - IN_PHASE as i64) {
                self.playing = Some(first);
                self.rejoin = true;
                return self.lead_in();
            }
            return self.invent(position, gap, !paused);
        }
        if gap <= next.samples && gap.is_multiple_of(CONCEAL_STEP) {
            let payload = next.payload.clone();
            self.decoder.recover(&payload, gap, &mut self.ready)?;
            self.counters.recovered_samples += gap as u64;
            self.record.lost();
            self.move_to(position + gap as i64);
            return Ok(());
        }
        self.invent(position, gap.saturating_sub(next.samples), true)
    }

    /// Fills up to where his next packet is in phase.
    fn lead_in(&mut self) -> Result<(), CodecError> {
        let missing = IN_PHASE.saturating_sub(self.ready.len());
        if missing > 0 {
            self.decoder.conceal(missing.next_multiple_of(CONCEAL_STEP), &mut self.ready)?;
            self.ready.truncate(IN_PHASE);
        }
        Ok(())
    }

    /// Conceals up to `gap` samples, at most one tick, and moves on in time.
    fn invent(&mut self, position: i64, gap: usize, loss: bool) -> Result<(), CodecError> {
        let samples = (gap / CONCEAL_STEP * CONCEAL_STEP).clamp(CONCEAL_STEP, FRAME);
        self.move_to(position + samples as i64);
        self.decoder.conceal(samples, &mut self.ready)?;
        if loss {
            self.record.lost();
            self.counters.concealed_samples += samples as u64;
        }
        Ok(())
    }

    /// What lies before `position` is over, even if its packets still come.
    fn move_to(&mut self, position: i64) {
        self.playing = Some(position);
        self.buffer.pass(position);
    }

    /// Nothing is there: extrapolates without moving on, since what is missing may only be late.
    fn starve(&mut self) -> Result<(), CodecError> {
        if self.starved >= STARVED_LIMIT || (self.resting && self.starved >= FRAME) {
            let from = self.ready.len().saturating_sub(FRAME);
            fade_out(&mut self.ready[from..]);
            self.playing = None;
            self.starved = 0;
            return Ok(());
        }
        self.decoder.conceal(FRAME, &mut self.ready)?;
        self.starved += FRAME;
        self.rejoin = true;
        // Whether anything was lost the next packet's number will tell: many pause without a word.
        if !self.resting {
            self.counters.concealed_samples += FRAME as u64;
        }
        Ok(())
    }

    /// Compares when the next sample is heard with when it is due, and cuts or stretches by one period.
    fn keep_time(&mut self, now: i64) {
        let Some(position) = self.playing.filter(|_| self.starved == 0) else { return };
        let late = now - self.buffer.due(position - self.ready.len() as i64);
        if late > HOPELESS {
            self.skip(now);
        } else if late > TOO_LATE {
            self.catch_up(late);
        } else if late < TOO_EARLY {
            self.hold_back();
        }
    }

    fn catch_up(&mut self, late: i64) {
        while self.ready.len() < FRAME + timescale::LONGEST && self.take_contiguous() {}
        if self.ready.len() < FRAME + timescale::LONGEST {
            return;
        }
        let quiet = dbov(&self.ready[..FRAME]) < QUIET;
        if let Some(cut) = timescale::shorten(&mut self.ready, quiet || late > FAR_TOO_LATE) {
            self.counters.cut_samples += cut as u64;
        }
    }

    fn hold_back(&mut self) {
        let quiet = self.ready.len() >= FRAME && dbov(&self.ready[..FRAME]) < QUIET;
        if self.ready.len() < timescale::NEEDED {
            self.take_contiguous();
        }
        if let Some(more) = timescale::lengthen(&mut self.ready, quiet) {
            self.counters.stretched_samples += more as u64;
        }
    }

    /// Decodes the next packet ahead of time, if it is there.
    pub(super) fn take_contiguous(&mut self) -> bool {
        self.buffer.front().is_some_and(|next| Some(next.timestamp) == self.playing) && self.take_packet().is_ok()
    }

    /// Too much has piled up: drops what should have been heard already.
    fn skip(&mut self, now: i64) {
        while self.buffer.front().is_some_and(|next| now > self.buffer.due(next.timestamp + next.samples as i64)) {
            if let Some(dropped) = self.buffer.pop() {
                self.counters.cut_samples += dropped.samples as u64;
            }
        }
        if let Some(next) = self.buffer.front() {
            self.playing = Some(next.timestamp);
            self.rejoin = true;
        }
    }
}

/// Cross-fades the extrapolation at `from..at` into the sound at `at..`, and takes the extrapolation away.
fn overlap(samples: &mut Vec<f32>, from: usize, at: usize) {
    let len = (at - from).min(samples.len() - at);
    for index in 0..len {
        let share = (index as f32 + 0.5) / len as f32;
        samples[at + index] = samples[from + index] * (1.0 - share) + samples[at + index] * share;
    }
    samples.drain(from..at);
}

fn fade_out(samples: &mut [f32]) {
    let len = samples.len().max(1) as f32;
    for (index, sample) in samples.iter_mut().enumerate() {
        *sample *= 1.0 - (index as f32 + 1.0) / len;
    }
}
