//! The packet core as the Python module `packetcore`: arguments in, events out, nothing decided here.

mod core;
mod frame;
mod mux;
mod values;

use pyo3::prelude::*;

pyo3::create_exception!(packetcore, CoreError, pyo3::exceptions::PyException, "A call the packet core refuses.");

/// What the system refuses is an OSError, all else a CoreError.
fn refused(error: majlis_io::RelayError) -> PyErr {
    match error {
        majlis_io::RelayError::Io(error) => error.into(),
        other => CoreError::new_err(other.to_string()),
    }
}

/// The native half of the package `packetcore`.
#[pymodule]
mod _native {
    use super::{PyResult, Python};
    use pyo3::pyfunction;
    use std::collections::BTreeMap;

    #[pymodule_export]
    use super::CoreError;
    #[pymodule_export]
    use super::core::Core;
    #[pymodule_export]
    use super::frame::ProgrammeFrame;
    #[pymodule_export]
    use super::mux::Muxer;
    #[pymodule_export]
    use super::values::{Input, ListenerFormat, SessionStats, Slot};

    /// Packets per second this machine can seal and send on loopback with one core.
    #[pyfunction]
    #[pyo3(signature = (seconds = 0.5))]
    fn self_calibrate(py: Python<'_>, seconds: f64) -> PyResult<u32> {
        py.detach(|| majlis_io::self_calibrate(seconds)).map_err(super::refused)
    }

    /// What the work on a programme costs here, µs of CPU for 20 ms of sound, by name.
    #[pyfunction]
    #[pyo3(signature = (seconds = 0.2))]
    fn measure_work(py: Python<'_>, seconds: f64) -> PyResult<BTreeMap<String, f64>> {
        py.detach(|| majlis_io::measure_work(seconds)).map(|costs| costs.named()).map_err(super::refused)
    }

    /// Gives freed memory back to the system.
    #[pyfunction]
    fn trim_memory(py: Python<'_>) {
        py.detach(majlis_io::sys::trim_memory);
    }
}
