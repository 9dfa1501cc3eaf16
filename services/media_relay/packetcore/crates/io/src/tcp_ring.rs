//! Datagrams of TCP connections on their way from one thread to another: a bounded ring of bytes for each pair of threads.

use majlis_core::{MTU, Path};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Bytes that wait for a slow thread: ten thousand packets of speech.
const BYTES: usize = 1 << 20;
/// Socket, family, address, port, scope, length.
const HEAD: usize = 26;

/// The two ends of a ring.
pub fn ring() -> (RingIn, RingOut) {
    let (ring, out) = rtrb::RingBuffer::new(BYTES);
    (RingIn { ring, record: Box::new([0; HEAD + MTU]), fresh: false, lost: 0 }, RingOut { ring: out })
}

/// The end where datagrams go in.
pub struct RingIn {
    ring: rtrb::Producer<u8>,
    record: Box<[u8; HEAD + MTU]>,
    fresh: bool,
    lost: u64,
}

impl RingIn {
    /// Where the next datagram is written.
    pub fn buffer(&mut self) -> &mut [u8] {
        &mut self.record[HEAD..]
    }

    /// Puts in the datagram of `len` bytes that was written; one that finds no room is lost, and nobody waits for it.
    pub fn commit(&mut self, path: &Path, len: usize) {
        let len = len.min(MTU);
        write_head(&mut self.record, path, len);
        match self.ring.push_entire_slice(&self.record[..HEAD + len]) {
            Ok(()) => self.fresh = true,
            Err(_) => self.lost += 1,
        }
    }

    /// Puts in a copy.
    pub fn put(&mut self, path: &Path, datagram: &[u8]) {
        if let Some(place) = self.buffer().get_mut(..datagram.len()) {
            place.copy_from_slice(datagram);
            self.commit(path, datagram.len());
        }
    }

    /// Whether something was put in since this was asked last: then the other side must be woken.
    pub fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    /// How many found no room.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// The end where they come out.
pub struct RingOut {
    ring: rtrb::Consumer<u8>,
}

impl RingOut {
    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.ring.slots()
    }

    /// Of those, how many a datagram of `len` bytes takes.
    pub fn taken(len: usize) -> usize {
        HEAD + len
    }

    /// The oldest: its path, and how many bytes of `buf` it fills.
    pub fn take(&mut self, buf: &mut [u8; MTU]) -> Option<(Path, usize)> {
        let mut head = [0; HEAD];
        self.ring.pop_entire_slice(&mut head).ok()?;
        let (path, len) = read_head(&head);
        // Head and datagram went in as one.
        self.ring.pop_entire_slice(buf.get_mut(..len)?).ok()?;
        Some((path, len))
    }
}

fn write_head(record: &mut [u8; HEAD + MTU], path: &Path, len: usize) {
    record[0] = path.socket;
    match path.remote {
        SocketAddr::V4(v4) => {
            record[1] = 4;
            record[2..6].copy_from_slice(&v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            record[1] = 6;
            record[2..18].copy_from_slice(&v6.ip().octets());
            record[20..24].copy_from_slice(&v6.scope_id().to_ne_bytes());
        }
    }
    record[18..20].copy_from_slice(&path.remote.port().to_ne_bytes());
    record[24..26].copy_from_slice(&(len as u16).to_ne_bytes());
}

fn read_head(head: &[u8; HEAD]) -> (Path, usize) {
    let ip: [u8; 16] = std::array::from_fn(|at| head[2 + at]);
    let port = u16::from_ne_bytes([head[18], head[19]]);
    let remote = if head[1] == 4 {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])), port)
    } else {
        let scope = u32::from_ne_bytes([head[20], head[21], head[22], head[23]]);
        SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope).into()
    };
    (Path { socket: head[0], remote }, usize::from(u16::from_ne_bytes([head[24], head[25]])))
}

#[cfg(test)]
mod tests {
    use super::{BYTES, HEAD, ring};
    use majlis_core::{MTU, Path};

    #[test]
    fn datagrams_come_out_as_they_went_in_and_what_finds_no_room_is_lost() {
        let (mut into, mut out) = ring();
        let paths = ["192.0.2.7:5", "[2001:db8::7]:65535", "[fe80::1%3]:9"]
            .map(|remote| Path { socket: Path::TCP, remote: remote.parse().expect("an address") });
        let mut buf = [0; MTU];
        for (at, path) in paths.iter().enumerate() {
            into.put(path, &[at as u8; MTU][..1 + 700 * at]);
        }
        for (at, path) in paths.iter().enumerate() {
            assert_eq!(out.take(&mut buf), Some((*path, 1 + 700 * at)));
            assert!(buf[..1 + 700 * at].iter().all(|byte| *byte == at as u8));
        }
        assert_eq!(out.take(&mut buf), None);
        let fit = BYTES / (HEAD + 500);
        (0..fit + 3).for_each(|_| into.put(&paths[0], &[9; 500]));
        assert_eq!(into.lost(), 3);
        assert_eq!(std::iter::from_fn(|| out.take(&mut buf)).count(), fit);
    }
}
