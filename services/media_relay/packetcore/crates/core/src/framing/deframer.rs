//! Finds datagrams in a stream of bytes, however the network has cut it.

use super::HEAD;
use crate::types::MTU;

/// What no client of ours sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A datagram without a byte.
    Empty,
    /// One longer than any we read; what begins with text or TLS reads as one.
    TooLong,
}

/// The datagrams of one connection. Holds at most one that has not come whole.
#[derive(Debug, Default)]
pub struct Deframer {
    partial: Vec<u8>,
}

impl Deframer {
    /// Calls `each` with every datagram that these bytes complete; the rest is kept for later. After an error the
    /// connection is of no use.
    pub fn take<E: From<FrameError>>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.partial.is_empty()
                && let Some((head, rest)) = bytes.split_first_chunk::<HEAD>()
                && let Some((datagram, rest)) = rest.split_at_checked(length(*head)?)
            {
                bytes = rest;
                each(datagram)?;
                continue;
            }
            let wanted = match self.partial.first_chunk::<HEAD>() {
                None => HEAD,
                Some(head) => HEAD + length(*head)?,
            };
            let (more, rest) = bytes.split_at(bytes.len().min(wanted - self.partial.len()));
            self.partial.extend_from_slice(more);
            bytes = rest;
            if wanted > HEAD && self.partial.len() == wanted {
                each(&self.partial[HEAD..])?;
                self.partial.clear();
            }
        }
        // A length that cannot be is told before anything follows it.
        self.partial.first_chunk::<HEAD>().map_or(Ok(()), |head| Ok(length(*head).map(drop)?))
    }
}

fn length(head: [u8; HEAD]) -> Result<usize, FrameError> {
    match usize::from(u16::from_be_bytes(head)) {
        0 => Err(FrameError::Empty),
        len if len > MTU => Err(FrameError::TooLong),
        len => Ok(len),
    }
}
