//! What a session's datagrams go over: a UDP socket, or a TCP connection with two bytes of length before each (RFC 4571).

use crate::receive::{ntp_now, open};
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use str0m::net::Protocol;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of length before a datagram.
const HEAD: usize = 2;

/// One session's way; a copy is the same way.
#[derive(Debug, Clone)]
pub enum Link {
    /// A socket of its own.
    Udp(Arc<UdpSocket>),
    /// A connection.
    Tcp(Arc<TcpStream>),
}

impl Link {
    /// A socket on `ip`.
    pub fn udp(ip: IpAddr) -> Result<Self> {
        Ok(Self::Udp(Arc::new(open(ip)?)))
    }

    /// A connection to `remote`.
    pub fn tcp(remote: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&remote, CONNECT).context("no TCP connection")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self::Tcp(Arc::new(stream)))
    }

    /// Its own address.
    pub fn local(&self) -> Result<SocketAddr> {
        Ok(match self {
            Self::Udp(socket) => socket.local_addr()?,
            Self::Tcp(stream) => stream.local_addr()?,
        })
    }

    /// As ICE calls it.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Udp(_) => Protocol::Udp,
            Self::Tcp(_) => Protocol::Tcp,
        }
    }
}

/// What of a TCP connection is on its way in part.
#[derive(Debug, Default)]
pub struct Parts {
    /// In.
    pub come: Come,
    /// Out.
    pub to_go: ToGo,
}

/// What has come of a datagram.
#[derive(Debug, Default)]
pub struct Come(Vec<u8>);

/// What of a datagram has to go still.
#[derive(Debug, Default)]
pub struct ToGo(Vec<u8>);

impl Come {
    /// Calls `each` with every datagram that is there whole, and the time at which it was read.
    pub fn drain(&mut self, mut stream: &TcpStream, mut each: impl FnMut(&[u8], u64)) {
        let mut buffer = [0; 8192];
        // The end, and an error, are for the session's own timeouts to judge.
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            self.0.extend_from_slice(&buffer[..count]);
            let arrival = ntp_now();
            let mut rest = &self.0[..];
            while let Some((head, tail)) = rest.split_first_chunk::<HEAD>()
                && let Some((datagram, tail)) = tail.split_at_checked(usize::from(u16::from_be_bytes(*head)))
            {
                each(datagram, arrival);
                rest = tail;
            }
            let read = self.0.len() - rest.len();
            self.0.drain(..read);
            if count < buffer.len() {
                return;
            }
        }
    }
}

impl ToGo {
    /// Sends a datagram; one that finds the connection full is the network's loss.
    pub fn send(&mut self, mut stream: &TcpStream, datagram: &[u8]) {
        if self.0.is_empty() {
            self.0.extend_from_slice(&(datagram.len() as u16).to_be_bytes());
            self.0.extend_from_slice(datagram);
        }
        if let Ok(written) = stream.write(&self.0) {
            self.0.drain(..written);
        }
    }
}
