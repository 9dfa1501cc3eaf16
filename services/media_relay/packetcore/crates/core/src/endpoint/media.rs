//! Microphone packets: authenticated, policed, told to the programme, forwarded to the people on stage.

use super::session::{Role, Session, SlotSender};
use super::{DropReason, Endpoint, Event, Reception, Sink, StageFact, StageMedia};
use crate::fanout::MAX_BODY;
use crate::rtp::{self, Header, Packet};
use crate::srtp::{SealKey, SrtpError};
use crate::stage::{Stage, level_by_size};
use crate::types::{MTU, Micros, Path, SessionId, StageId};

impl From<SrtpError> for DropReason {
    fn from(error: SrtpError) -> Self {
        match error {
            SrtpError::Authentication => Self::Authentication,
            SrtpError::Replay => Self::Replay,
            _ => Self::Malformed,
        }
    }
}

/// What a speaker's packet is, for those who hear it.
struct Speech<'a> {
    packet: Packet<'a>,
    /// 48-bit index: tells packets apart over sequence number wraps.
    index: u64,
    member: u32,
    stage: StageId,
    level: u8,
    /// What the sender says of it (RFC 6464), -dBov; none when it says nothing.
    stated: Option<u8>,
}

impl Endpoint {
    pub(super) fn handle_rtp(
        &mut self,
        path: Path,
        datagram: &mut [u8],
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let id = self.session_at(&path)?;
        let session = self.sessions.get_mut(&id).ok_or(DropReason::NotValidated)?;
        if !session.listens_to_rtp(now) {
            return Err(DropReason::Policed);
        }
        let open = session.open.as_mut().ok_or(DropReason::NotKeyed)?;
        let (len, index) = open.open_rtp(datagram)?;
        session.packets_received += 1;
        if session.agent.heard(path, now) {
            sink.event(Event::Active(id));
        }
        let packet = Packet::parse(&datagram[..len]).ok_or(DropReason::Malformed)?;
        self.hear(id, packet, index, now, sink)
    }

    /// Takes a microphone's packet that is known to be its own.
    pub(super) fn hear(
        &mut self,
        id: SessionId,
        packet: Packet<'_>,
        index: u64,
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let session = self.sessions.get_mut(&id).ok_or(DropReason::NotValidated)?;
        let speech = admit(session, packet, index, now)?;
        if !std::mem::replace(&mut session.media_seen, true) {
            sink.event(Event::Media(id));
        }
        self.forward(id, &speech, now, sink)
    }

    fn forward(
        &mut self,
        from: SessionId,
        speech: &Speech<'_>,
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let mut hearers = std::mem::take(&mut self.hearers);
        let mut stage = self.stages.get_mut(&speech.stage);
        let spoken = stage.as_mut().and_then(|stage| stage.route(from, speech.level, now, &mut hearers));
        if let Some(holder) = stage.and_then(Stage::take_turn) {
            sink.fact(StageFact::Holds(speech.stage, holder));
        }
        if let Some(booth) = spoken {
            sink.media(&StageMedia {
                stage: speech.stage,
                member: speech.member,
                booth,
                ssrc: speech.packet.ssrc,
                sequence: speech.packet.sequence,
                timestamp: speech.packet.timestamp,
                level: speech.stated,
                payload: speech.packet.payload,
                arrival: now,
            });
            for (hearer, slot) in &hearers {
                let Some(session) = self.sessions.get_mut(hearer) else { continue };
                let sent = forward_to(session, *slot, from, speech, now, sink);
                self.counters.stage_packets_out += u64::from(sent.is_some());
            }
        }
        self.hearers = hearers;
        if spoken.is_some() { Ok(()) } else { Err(DropReason::Muted) }
    }
}

/// Checks what only an authenticated packet can be held to.
fn admit<'a>(session: &mut Session, packet: Packet<'a>, index: u64, now: Micros) -> Result<Speech<'a>, DropReason> {
    let Role::Stage(role) = &mut session.role else {
        return Err(if session.ear.allow(1, now) { DropReason::Muted } else { DropReason::Policed });
    };
    let samples = rtp::opus_samples(packet.payload).ok_or(DropReason::Payload)?;
    if packet.payload_type != role.format.payload_type || packet.payload.len() > MAX_BODY {
        return Err(DropReason::Payload);
    }
    if !role.policer.allow(samples, now) {
        return Err(DropReason::Policed);
    }
    let reception = role.reception.get_or_insert_with(|| Reception::new(packet.ssrc, index));
    if reception.ssrc() != packet.ssrc {
        *reception = Reception::new(packet.ssrc, index);
    }
    reception.receive(index, packet.timestamp, now);
    if !role.muted {
        session.agent.spoke(now);
    }
    let stated = role.format.level_extension_id.and_then(|id| packet.audio_level(id));
    Ok(Speech {
        packet,
        index,
        member: role.format.member,
        stage: role.stage,
        level: stated.unwrap_or_else(|| level_by_size(packet.payload.len(), samples)),
        stated,
    })
}

/// Seals a speaker's packet for one hearer; None when it cannot be sent now.
fn forward_to(
    session: &mut Session,
    slot: usize,
    from: SessionId,
    speech: &Speech<'_>,
    now: Micros,
    sink: &mut impl Sink,
) -> Option<()> {
    let path = session.agent.nominated()?;
    let key = session.seal.as_ref()?;
    let Role::Stage(role) = &mut session.role else { return None };
    let len = seal_in_slot(role.slots.get_mut(slot)?, key, from, speech, now, sink.buffer(&path))?;
    sink.commit(&path, len);
    role.sent_packets += 1;
    role.sent_bytes += len as u64;
    Some(())
}

fn seal_in_slot(
    slot: &mut SlotSender,
    key: &SealKey,
    from: SessionId,
    speech: &Speech<'_>,
    now: Micros,
    buf: &mut [u8],
) -> Option<usize> {
    let payload = speech.packet.payload;
    // A sender that restarts with another SSRC is another source, though the same person.
    let source = from.0 << 32 | u64::from(speech.packet.ssrc);
    let stream = slot.stream.as_mut()?;
    let placed = slot.rewriter.place(stream, source, speech.index, speech.packet.timestamp, now)?;
    let header = Header {
        marker: speech.packet.marker || placed.is_start,
        payload_type: slot.format.payload_type,
        timestamp: placed.timestamp,
        csrcs: &[speech.member],
        ..Header::default()
    };
    let at = header.write(buf);
    buf[at..at + payload.len()].copy_from_slice(payload);
    let len = key.seal_rtp(placed.index, &mut buf[..MTU], at, at + payload.len()).ok()?;
    slot.packets = slot.packets.wrapping_add(1);
    slot.octets = slot.octets.wrapping_add(payload.len() as u32);
    Some(len)
}
