//! What a run found, as JSON for programs and as a table for people.

use crate::count::{Delays, Totals};
use serde::Serialize;

/// A distribution in a few numbers, ms.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    /// How many were measured.
    pub count: u64,
    /// Half stay below.
    pub p50_ms: Option<f64>,
    /// 95 of 100 stay below.
    pub p95_ms: Option<f64>,
    /// 99 of 100 stay below.
    pub p99_ms: Option<f64>,
    /// The largest.
    pub max_ms: f64,
}

impl From<&Delays> for Spread {
    fn from(delays: &Delays) -> Self {
        let quantile = |share| delays.quantile(share).filter(|_| delays.count() > 0);
        Self {
            count: delays.count(),
            p50_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            max_ms: (delays.max() * 10.0).round() / 10.0,
        }
    }
}

/// A crowd's run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Listeners asked for.
    pub listeners: usize,
    /// Joins that failed before media.
    pub failed: u64,
    /// Why the first of them did.
    pub failures: Vec<String>,
    /// Sessions connected.
    pub connected: u64,
    /// Sessions that have heard something.
    pub hearing: u64,
    /// Sessions that ended by themselves.
    pub ended: u64,
    /// From the first join until all heard, s.
    pub all_hearing_seconds: Option<f64>,
    /// From joining to connected.
    pub connect: Spread,
    /// From joining to the first packet.
    pub hear: Spread,
    /// Length of the measured window, s.
    pub seconds: f64,
    /// Packets in the window.
    pub packets: Totals,
    /// Packets that never came.
    pub lost: u64,
    /// Lost by the listener who lost most.
    pub worst_lost: u64,
    /// Listeners who got nothing in the window.
    pub deaf: u64,
    /// Packets per second of all.
    pub packets_per_second: f64,
    /// Packets decrypted (the sample).
    pub decrypted: u64,
    /// Arrival in the kernel minus capture time.
    pub forward_delay: Spread,
    /// Event streams open at the end.
    pub event_streams: u64,
    /// Events received on them.
    pub events: u64,
    /// CPU of this tool in the window, share of a core.
    pub tool_cores: f64,
    /// Most memory of this tool, MiB.
    pub tool_peak_mebibytes: f64,
}

impl Report {
    /// The table.
    pub fn table(&self) -> String {
        let spread = |spread: &Spread| match (spread.p50_ms, spread.p99_ms) {
            (Some(p50), Some(p99)) => format!("p50 {p50:.1}  p99 {p99:.1}  max {:.1} ms", spread.max_ms),
            _ => "not measured".into(),
        };
        let whole = self.all_hearing_seconds.map_or("never".into(), |seconds| format!("{seconds:.1} s"));
        let rows = [
            ("listeners", format!("{} asked, {} connected, {} hearing", self.listeners, self.connected, self.hearing)),
            ("failed, ended", format!("{} joins failed, {} sessions ended", self.failed, self.ended)),
            ("all hearing after", whole),
            ("join to connected", spread(&self.connect)),
            ("join to first packet", spread(&self.hear)),
            (
                "packets",
                format!("{} in {:.1} s ({:.0}/s)", self.packets.received, self.seconds, self.packets_per_second),
            ),
            ("lost", format!("{} of {} (worst listener {})", self.lost, self.packets.expected, self.worst_lost)),
            (
                "late, doubled, gaps",
                format!("{}, {}, {}", self.packets.late, self.packets.duplicates, self.packets.gaps),
            ),
            ("interruptions, deaf", format!("{}, {}", self.packets.interruptions, self.deaf)),
            ("forward delay", spread(&self.forward_delay)),
            ("decrypted sample", format!("{} packets", self.decrypted)),
            ("event streams", format!("{} open, {} events", self.event_streams, self.events)),
            ("this tool", format!("{:.2} cores, {:.0} MiB", self.tool_cores, self.tool_peak_mebibytes)),
        ];
        let lines = rows.iter().map(|(name, value)| format!("{name:<22} {value}\n"));
        lines.chain(self.failures.iter().map(|reason| format!("{:<22} {reason}\n", "  because"))).collect()
    }
}
