//! The containers of `majlis_programme::mux` as a Python class.

use majlis_programme::mux::{Fmp4, Mux, Ogg, Sound, WebM};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Opus packets in, bytes of a file or a stream out.
#[pyclass]
#[derive(Debug)]
pub struct Muxer {
    inner: Box<dyn Mux>,
}

#[pymethods]
impl Muxer {
    #[new]
    #[pyo3(signature = (container, channels, pre_skip, serial = 0, *, longest = None))]
    fn new(container: &str, channels: u8, pre_skip: u16, serial: u32, longest: Option<u32>) -> PyResult<Self> {
        if !(1..=2).contains(&channels) {
            return Err(PyValueError::new_err("one channel or two"));
        }
        let sound = Sound { channels, pre_skip };
        let inner: Box<dyn Mux> = match container {
            "ogg" => Box::new(Ogg::new(sound, serial).with_longest(longest)),
            "webm" => Box::new(WebM::new(sound).with_longest(longest)),
            "mp4" => Box::new(Fmp4::new(sound).with_longest(longest)),
            other => return Err(PyValueError::new_err(format!("no container is called {other}"))),
        };
        Ok(Self { inner })
    }

    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.head())
    }

    fn packet<'py>(&mut self, py: Python<'py>, at: u64, packet: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.inner.packet(at, packet).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn cut<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.cut())
    }

    fn end<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.end())
    }
}
