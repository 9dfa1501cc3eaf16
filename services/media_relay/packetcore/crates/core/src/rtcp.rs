//! RTCP (RFC 3550 §6): reads compound packets, writes the reports the core sends.

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const CNAME: u8 = 1;

/// What one receiver says of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Of the packets expected since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the beginning; duplicates make it negative.
    pub total_lost: i32,
    /// Extended highest sequence number.
    pub highest_sequence: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0: none yet.
    pub last_sender_report: u32,
    /// Since then, in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    /// Round trip in 1/65536 s, given the middle NTP bits of the arrival; None without a sender report.
    pub fn round_trip(&self, now_middle: u32) -> Option<u32> {
        if self.last_sender_report == 0 {
            return None;
        }
        let trip = now_middle.wrapping_sub(self.last_sender_report).wrapping_sub(self.delay);
        // Clocks tick on both sides, so a very short trip may come out a little below zero.
        Some(if trip > u32::MAX / 2 { 0 } else { trip })
    }
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// SR: its sender, NTP time and RTP timestamp; reports follow.
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// NTP 32.32.
        ntp: u64,
        /// The same moment on the media clock.
        timestamp: u32,
        /// Its report blocks.
        reports: Reports<'a>,
    },
    /// RR.
    ReceiverReport {
        /// Who sends.
        ssrc: u32,
        /// Its report blocks.
        reports: Reports<'a>,
    },
    /// BYE, with the first SSRC that leaves.
    Goodbye {
        /// Who leaves.
        ssrc: u32,
    },
    /// Anything else: described, skipped.
    Other {
        /// The packet type.
        kind: u8,
    },
}

/// Report blocks, read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reports<'a>(&'a [u8]);

impl Iterator for Reports<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<24>()?;
        self.0 = rest;
        let lost = word(block, 4) & 0x00ff_ffff;
        Some(ReportBlock {
            ssrc: word(block, 0),
            fraction_lost: block[4],
            total_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence: word(block, 8),
            jitter: word(block, 12),
            last_sender_report: word(block, 16),
            delay: word(block, 20),
        })
    }
}

/// The packets of a compound; ends at the first malformed one.
pub fn parse(mut compound: &[u8]) -> impl Iterator<Item = Packet<'_>> {
    std::iter::from_fn(move || {
        let (head, _) = compound.split_first_chunk::<4>()?;
        let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[0] >> 6 != 2 || len > compound.len() {
            return None;
        }
        let (packet, rest) = compound.split_at(len);
        compound = rest;
        parse_one(packet, head[1], usize::from(head[0] & 0x1f))
    })
}

fn parse_one(packet: &[u8], kind: u8, count: usize) -> Option<Packet<'_>> {
    let reports_from = |at: usize| packet.get(at..at + 24 * count).map(Reports);
    match kind {
        SENDER_REPORT if packet.len() >= 28 => Some(Packet::SenderReport {
            ssrc: word(packet, 4),
            ntp: u64::from(word(packet, 8)) << 32 | u64::from(word(packet, 12)),
            timestamp: word(packet, 16),
            reports: reports_from(28)?,
        }),
        RECEIVER_REPORT if packet.len() >= 8 => {
            Some(Packet::ReceiverReport { ssrc: word(packet, 4), reports: reports_from(8)? })
        }
        SENDER_REPORT | RECEIVER_REPORT => None,
        GOODBYE if count > 0 && packet.len() >= 8 => Some(Packet::Goodbye { ssrc: word(packet, 4) }),
        kind => Some(Packet::Other { kind }),
    }
}

/// Appends a sender report without report blocks.
pub fn write_sender_report(out: &mut Vec<u8>, ssrc: u32, ntp: u64, timestamp: u32, packets: u32, octets: u32) {
    head(out, 0, SENDER_REPORT, 6);
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&ntp.to_be_bytes());
    out.extend_from_slice(&timestamp.to_be_bytes());
    out.extend_from_slice(&packets.to_be_bytes());
    out.extend_from_slice(&octets.to_be_bytes());
}

/// Appends a receiver report with at most one block.
pub fn write_receiver_report(out: &mut Vec<u8>, ssrc: u32, block: Option<&ReportBlock>) {
    let count = u8::from(block.is_some());
    head(out, count, RECEIVER_REPORT, 1 + 6 * u16::from(count));
    out.extend_from_slice(&ssrc.to_be_bytes());
    let Some(block) = block else { return };
    out.extend_from_slice(&block.ssrc.to_be_bytes());
    let lost = block.total_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0x00ff_ffff;
    out.extend_from_slice(&(u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
    for value in [block.highest_sequence, block.jitter, block.last_sender_report, block.delay] {
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// Appends the CNAME every compound must carry; `cname` is cut to 255 bytes.
pub fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let name = &cname.as_bytes()[..cname.len().min(255)];
    let chunk = (4 + 2 + name.len() + 1).next_multiple_of(4);
    head(out, 1, SOURCE_DESCRIPTION, (chunk / 4) as u16);
    let end = out.len() + chunk;
    out.extend_from_slice(&ssrc.to_be_bytes());
    out.extend_from_slice(&[CNAME, name.len() as u8]);
    out.extend_from_slice(name);
    out.resize(end, 0);
}

/// Appends a goodbye.
pub fn write_goodbye(out: &mut Vec<u8>, ssrc: u32) {
    head(out, 1, GOODBYE, 1);
    out.extend_from_slice(&ssrc.to_be_bytes());
}

fn head(out: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    out.extend_from_slice(&[0x80 | count, kind]);
    out.extend_from_slice(&words.to_be_bytes());
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
