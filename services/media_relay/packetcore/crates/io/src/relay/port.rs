//! The media port: opened for UDP, and for TCP on the same number as far as that is free.

use super::RelayConfig;
use crate::tcp_connections::TcpLimits;
use crate::{RelayError, socket, tcp_socket};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

/// How often a port of the system's choice is asked for until its TCP side is free too.
const PORT_TRIES: usize = 16;
/// Descriptors that TCP connections leave to the rest of the process.
const OTHER_DESCRIPTORS: usize = 256;

/// How many connections the media port takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpConfig {
    /// All together; fewer where this process may not hold so many descriptors.
    pub connections: usize,
    /// Of one source: an IPv4 address or an IPv6 /64.
    pub per_source: usize,
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self { connections: 16_384, per_source: 1024 }
    }
}

/// The media port's TCP side.
#[derive(Default)]
pub struct TcpSide {
    /// One for each address that could be opened.
    pub listeners: Arc<Vec<TcpListener>>,
    /// The others, and why not.
    pub refused: Vec<(SocketAddr, String)>,
}

/// Opens the media port, and its TCP side as far as that is free. A port that the system chooses is one that both can have.
pub fn open(config: &RelayConfig) -> Result<(Vec<UdpSocket>, TcpSide), RelayError> {
    let chosen = config.bind.first().is_some_and(|(_, port)| *port == 0);
    let tries = if chosen { PORT_TRIES } else { 1 };
    let mut opened = Ok((Vec::new(), TcpSide::default()));
    for _ in 0..tries {
        let sockets = socket::open(&config.bind)?;
        let tcp = if config.tcp.is_some() { open_tcp(&sockets)? } else { TcpSide::default() };
        let whole = tcp.refused.is_empty();
        opened = Ok((sockets, tcp));
        if whole {
            break;
        }
    }
    opened
}

fn open_tcp(sockets: &[UdpSocket]) -> Result<TcpSide, RelayError> {
    let (mut listeners, mut refused) = (Vec::new(), Vec::new());
    for socket in sockets {
        let address = socket.local_addr()?;
        match tcp_socket::listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) => refused.push((address, error.to_string())),
        }
    }
    Ok(TcpSide { listeners: Arc::new(listeners), refused })
}

/// How many connections it takes here.
pub fn limits(config: &RelayConfig) -> TcpLimits {
    let TcpConfig { connections, per_source } = config.tcp.unwrap_or_default();
    let descriptors = tcp_socket::raise_descriptor_limit().saturating_sub(OTHER_DESCRIPTORS);
    TcpLimits {
        connections: connections.min(descriptors).max(1),
        per_source: u32::try_from(per_source).unwrap_or(u32::MAX),
        per_source_per_second: config.handshakes_per_source_per_second,
    }
}
