//! RTCP in both directions: what receivers report, and the reports stage sessions are sent.

use super::session::{Role, Session, StageRole};
use super::{DropReason, Endpoint, Event, Sink};
use crate::fanout;
use crate::rtcp::{self, Packet, ReportBlock};
use crate::types::{Micros, Path, SECOND, SessionId, WallClock};

/// Stage sessions are sent reports this often: a browser's microphone adapts its bit rate by them.
const STAGE_INTERVAL: Micros = SECOND;

impl Endpoint {
    pub(super) fn handle_rtcp(
        &mut self,
        path: Path,
        datagram: &mut [u8],
        now: Micros,
        sink: &mut impl Sink,
    ) -> Result<(), DropReason> {
        let id = self.session_at(&path)?;
        let session = self.sessions.get_mut(&id).ok_or(DropReason::NotValidated)?;
        if !session.ear.listens(now) {
            return Err(DropReason::Policed);
        }
        let open = session.open.as_mut().ok_or(DropReason::NotKeyed)?;
        let len = open.open_rtcp(datagram)?;
        if !session.ear.allow(1, now) {
            return Err(DropReason::Policed);
        }
        if session.agent.heard(path, now) {
            sink.event(Event::Active(id));
        }
        let middle = (self.clock.ntp(now) >> 16) as u32;
        for packet in rtcp::parse(&datagram[..len]) {
            match packet {
                Packet::SenderReport { ssrc, ntp, reports, .. } => {
                    note_sender_report(session, ssrc, ntp, now);
                    note_reports(session, id, reports, middle, sink);
                }
                Packet::ReceiverReport { reports, .. } => {
                    note_reports(session, id, reports, middle, sink);
                }
                Packet::Goodbye { ssrc } => end_source(session, ssrc),
                Packet::Other { .. } => {}
            }
        }
        self.counters.reports_in += 1;
        Ok(())
    }

    /// Reports for one stage session when they are due.
    pub(super) fn report_to_stage(&mut self, id: SessionId, now: Micros, sink: &mut impl Sink) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let (Some(path), Role::Stage(role)) = (session.agent.nominated(), &mut session.role) else { return };
        if session.seal.is_none() || now < role.report_at {
            return;
        }
        role.report_at = now + STAGE_INTERVAL;
        write_reports(role, &mut self.scratch, now, &self.clock, &self.cname);
        send_report(session, &mut self.scratch, &path, sink);
    }
}

fn send_report(session: &mut Session, compound: &mut Vec<u8>, path: &Path, sink: &mut impl Sink) {
    if let Some(key) = &mut session.seal
        && key.seal_rtcp(compound).is_ok()
    {
        sink.copy(path, compound);
    }
}

/// One compound: a report per slot that sounds, the microphone's reception, and our name.
fn write_reports(role: &mut StageRole, out: &mut Vec<u8>, now: Micros, clock: &WallClock, cname: &str) {
    out.clear();
    let own = role.slots.first().map_or(1, |slot| slot.format.ssrc);
    for slot in &role.slots {
        if let Some((timestamp, at)) = slot.rewriter.last() {
            let timestamp = timestamp.wrapping_add((now.saturating_sub(at) * 48 / 1000) as u32);
            rtcp::write_sender_report(out, slot.format.ssrc, clock.ntp(now), timestamp, slot.packets, slot.octets);
        }
    }
    let block = role.reception.as_mut().map(|reception| reception.report(now));
    rtcp::write_receiver_report(out, own, block.as_ref());
    rtcp::write_cname(out, own, cname);
}

fn note_sender_report(session: &mut Session, ssrc: u32, ntp: u64, now: Micros) {
    if let Role::Stage(role) = &mut session.role
        && let Some(reception) = &mut role.reception
        && reception.ssrc() == ssrc
    {
        reception.sender_report(ntp, now);
    }
}

fn note_reports(session: &mut Session, id: SessionId, reports: rtcp::Reports<'_>, middle: u32, sink: &mut impl Sink) {
    for block in reports {
        if !is_ours(&session.role, &block) {
            continue;
        }
        let feedback = &mut session.feedback;
        feedback.reports += 1;
        feedback.fraction_lost = block.fraction_lost;
        feedback.jitter = block.jitter;
        feedback.round_trip = block.round_trip(middle).or(feedback.round_trip);
        if let Role::Listener(role) = &mut session.role
            && let Some(depth) = role.judge_loss(block.fraction_lost)
        {
            sink.fanout(role.shard, fanout::Command::Red(id, depth));
        }
    }
}

fn is_ours(role: &Role, block: &ReportBlock) -> bool {
    match role {
        Role::None => false,
        Role::Stage(role) => role.slots.iter().any(|slot| slot.format.ssrc == block.ssrc),
        Role::Listener(role) => role.ssrc == block.ssrc,
    }
}

/// A microphone that says goodbye begins anew when it comes back.
fn end_source(session: &mut Session, ssrc: u32) {
    if let Role::Stage(role) = &mut session.role {
        role.reception = role.reception.filter(|reception| reception.ssrc() != ssrc);
    }
}
