//! A frame of a programme as a Python value.

use crate::CoreError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Seconds from the NTP epoch to that of Unix.
const UNIX_AT_NTP: f64 = 2_208_988_800.0;

/// 20 ms of one channel.
#[pyclass(frozen, get_all, module = "packetcore")]
pub struct ProgrammeFrame {
    start_of_talk: bool,
    end_of_talk: bool,
    level: u8,
    stream: u32,
    sequence: u32,
    timestamp: u32,
    captured_at: f64,
    members: Vec<u32>,
    opus: Py<PyBytes>,
}

#[pymethods]
impl ProgrammeFrame {
    #[staticmethod]
    fn decode(py: Python<'_>, wire: &[u8]) -> PyResult<Self> {
        let frame =
            majlis_programme::ProgrammeFrame::decode(wire).map_err(|why| CoreError::new_err(why.to_string()))?;
        Ok(Self {
            start_of_talk: frame.start_of_talk,
            end_of_talk: frame.end_of_talk,
            level: frame.level,
            stream: frame.stream,
            sequence: frame.sequence,
            timestamp: frame.timestamp,
            captured_at: frame.capture_ntp as f64 / f64::from(1u32 << 16).powi(2) - UNIX_AT_NTP,
            members: frame.csrcs.as_slice().to_vec(),
            opus: PyBytes::new(py, frame.payload.as_slice()).unbind(),
        })
    }
}
