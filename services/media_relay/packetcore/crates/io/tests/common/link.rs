//! A TCP connection to the media port, and the framing of RFC 4571 by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A TCP connection to the media port, whose datagrams are framed by hand.
pub struct TcpLink {
    pub stream: TcpStream,
    come: Vec<u8>,
}

impl TcpLink {
    pub fn to(relay: SocketAddr) -> Self {
        let stream = TcpStream::connect(relay).expect("the media port takes TCP");
        stream.set_nodelay(true).expect("socket");
        stream.set_read_timeout(Some(Duration::from_secs(2))).expect("socket");
        Self { stream, come: Vec::new() }
    }

    pub fn send(&mut self, datagram: &[u8]) {
        let framed = [&(datagram.len() as u16).to_be_bytes(), datagram].concat();
        // The other side may have closed it: tests see that by reading.
        drop(self.stream.write_all(&framed));
    }

    /// The next datagram: of what has arrived, or waited for; none at the end too.
    pub fn receive(&mut self, arrived: bool) -> Option<Vec<u8>> {
        self.stream.set_nonblocking(arrived).expect("socket");
        let mut buf = [0; 4096];
        loop {
            if let Some((head, rest)) = self.come.split_first_chunk::<2>() {
                let len = usize::from(u16::from_be_bytes(*head));
                if rest.len() >= len {
                    return Some(self.come.drain(..2 + len).skip(2).collect());
                }
            }
            match self.stream.read(&mut buf) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.come.extend_from_slice(&buf[..count]),
            }
        }
    }

    /// Waits until the relay closes it; says whether it did, within some seconds.
    pub fn is_closed_within(&mut self, limit: Duration) -> bool {
        self.stream.set_nonblocking(false).expect("socket");
        self.stream.set_read_timeout(Some(limit)).expect("socket");
        let mut buf = [0; 4096];
        loop {
            match self.stream.read(&mut buf) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }
}
