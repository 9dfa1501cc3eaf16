//! Clients by the thousand: WHEP listeners and WHIP speakers that share no media code with the relay.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a load tool lives in real time")]

pub mod args;
pub mod arrivals;
pub mod chirps;
pub mod count;
pub mod crowd;
pub mod door;
pub mod dtls;
pub mod ear;
pub mod events;
pub mod flow;
pub mod follow;
pub mod followers;
pub mod hear;
pub mod knock;
pub mod link;
pub mod listen;
pub mod mouth;
pub mod peer;
pub mod receive;
pub mod recording;
pub mod report;
pub mod rooms;
pub mod sound;
pub mod talker;
pub mod tasks;
pub mod usage;
pub mod voice;
pub mod wire;
