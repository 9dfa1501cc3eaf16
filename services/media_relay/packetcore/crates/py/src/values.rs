//! The value classes of the Python API.

use majlis_core::fanout;
use majlis_io::{InputReading, SessionReport};
use pyo3::prelude::*;

/// One recvonly m-line of a stage session.
#[pyclass(frozen, from_py_object, module = "packetcore")]
#[derive(Clone)]
pub struct Slot {
    /// Its SSRC.
    #[pyo3(get)]
    pub ssrc: u32,
    /// Opus in the direction of the client.
    #[pyo3(get)]
    pub payload_type: u8,
}

#[pymethods]
impl Slot {
    #[new]
    #[pyo3(signature = (*, ssrc, payload_type))]
    fn new(ssrc: u32, payload_type: u8) -> Self {
        Self { ssrc, payload_type }
    }
}

/// What an audience session negotiated.
#[pyclass(frozen, module = "packetcore")]
pub struct ListenerFormat {
    /// The same in Rust.
    pub format: fanout::ListenerFormat,
}

#[pymethods]
impl ListenerFormat {
    #[new]
    #[pyo3(signature = (*, ssrc, payload_type, red_payload_type = None, abs_capture_time_id = None, level_extension_id = None))]
    fn new(
        ssrc: u32,
        payload_type: u8,
        red_payload_type: Option<u8>,
        abs_capture_time_id: Option<u8>,
        level_extension_id: Option<u8>,
    ) -> Self {
        let format =
            fanout::ListenerFormat { ssrc, payload_type, red_payload_type, abs_capture_time_id, level_extension_id };
        Self { format }
    }
}

/// One session's numbers.
#[pyclass(frozen, get_all, module = "packetcore")]
pub struct SessionStats {
    packets_sent: u64,
    bytes_sent: u64,
    packets_received: u64,
    fraction_lost: f64,
    jitter_seconds: f64,
    round_trip_seconds: Option<f64>,
    address: Option<(String, u16)>,
    tcp: bool,
    connected: bool,
}

impl From<SessionReport> for SessionStats {
    fn from(report: SessionReport) -> Self {
        let info = report.info;
        Self {
            packets_sent: report.packets_sent,
            bytes_sent: report.bytes_sent,
            packets_received: info.packets_received,
            fraction_lost: info.fraction_lost,
            jitter_seconds: info.jitter_seconds,
            round_trip_seconds: info.round_trip_seconds,
            address: info.address.map(|address| (address.ip().to_string(), address.port())),
            tcp: info.tcp,
            connected: info.connected,
        }
    }
}

/// What one member's microphone sends.
#[pyclass(frozen, get_all, module = "packetcore")]
pub struct Input {
    member: u32,
    level_dbov: Option<f32>,
    clipped: Option<f32>,
    band_hz: Option<u32>,
    expected: u32,
    lost: u32,
    activity: String,
}

impl From<InputReading> for Input {
    fn from(read: InputReading) -> Self {
        let InputReading { member, booth: _, level_dbov, clipped, band_hz, expected, lost, activity } = read;
        Self { member, level_dbov, clipped, band_hz, expected, lost, activity }
    }
}
