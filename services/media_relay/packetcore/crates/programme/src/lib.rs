//! What every consumer of a programme needs, sans-IO: no socket, no clock, no thread.

#![forbid(unsafe_code)]

pub mod mux;
