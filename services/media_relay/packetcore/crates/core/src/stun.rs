//! STUN messages (RFC 8489) as ICE uses them: parse, check integrity, build responses.

use ring::hmac;
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;

/// Why bytes are not a STUN message we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StunError {
    /// Too short, a length that is not the datagram's, or no magic cookie.
    #[error("not a STUN message")]
    Header,
    /// An attribute runs past the end or has an impossible length.
    #[error("malformed STUN attribute 0x{0:04x}")]
    Attribute(u16),
    /// FINGERPRINT does not match, or something follows it.
    #[error("wrong STUN fingerprint")]
    Fingerprint,
}

/// A 96-bit transaction id.
pub type TransactionId = [u8; 12];

/// A parsed message borrowing the datagram. Integrity is **not** checked by parsing.
#[derive(Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    kind: u16,
    integrity_at: Option<usize>,
    /// The transaction id.
    pub transaction: TransactionId,
    /// USERNAME, as sent.
    pub username: Option<&'a [u8]>,
    /// USE-CANDIDATE is present under the integrity check.
    pub use_candidate: bool,
    /// The sender believes that it is the controlled side.
    pub controlled: bool,
    /// Comprehension-required attributes that we do not know, in order (RFC 8489 §14.13).
    pub unknown_required: Vec<u16>,
    /// Whether a (correct) FINGERPRINT was there.
    pub fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Reads a whole datagram; bounds are checked, FINGERPRINT is verified when present.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        if bytes.len() < HEADER || !bytes.len().is_multiple_of(4) || bytes[0] > 3 || bytes[4..8] != MAGIC {
            return Err(StunError::Header);
        }
        if usize::from(u16_at(bytes, 2)) + HEADER != bytes.len() {
            return Err(StunError::Header);
        }
        let mut message = Self {
            bytes,
            kind: u16_at(bytes, 0),
            integrity_at: None,
            transaction: bytes[8..20].try_into().map_err(|_| StunError::Header)?,
            username: None,
            use_candidate: false,
            controlled: false,
            unknown_required: Vec::new(),
            fingerprint: false,
        };
        let mut at = HEADER;
        while at < bytes.len() {
            at = message.read_attribute(at)?;
        }
        Ok(message)
    }

    fn read_attribute(&mut self, at: usize) -> Result<usize, StunError> {
        let kind = u16_at(self.bytes, at);
        let len = usize::from(u16_at(self.bytes, at + 2));
        let end = at + 4 + len.next_multiple_of(4);
        if end > self.bytes.len() {
            return Err(StunError::Attribute(kind));
        }
        if self.fingerprint {
            return Err(StunError::Fingerprint);
        }
        let value = &self.bytes[at + 4..at + 4 + len];
        if kind == FINGERPRINT {
            self.check_fingerprint(at, value)?;
            return Ok(end);
        }
        if self.integrity_at.is_some() {
            return Ok(end); // RFC 8489 §14.5: what follows the integrity is not covered by it and is ignored.
        }
        match kind {
            USERNAME => self.username = Some(value),
            MESSAGE_INTEGRITY if len == 20 => self.integrity_at = Some(at),
            MESSAGE_INTEGRITY => return Err(StunError::Attribute(kind)),
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLED => self.controlled = true,
            PRIORITY | XOR_MAPPED_ADDRESS | ERROR_CODE | UNKNOWN_ATTRIBUTES => {}
            0x0000..=0x7fff if !self.unknown_required.contains(&kind) => self.unknown_required.push(kind),
            _ => {}
        }
        Ok(end)
    }

    fn check_fingerprint(&mut self, at: usize, value: &[u8]) -> Result<(), StunError> {
        let claimed: [u8; 4] = value.try_into().map_err(|_| StunError::Fingerprint)?;
        if u32::from_be_bytes(claimed) != crc32fast::hash(&self.bytes[..at]) ^ FINGERPRINT_XOR {
            return Err(StunError::Fingerprint);
        }
        self.fingerprint = true;
        Ok(())
    }

    /// A Binding request?
    pub fn is_binding_request(&self) -> bool {
        self.kind == BINDING_REQUEST
    }

    /// A Binding success response?
    pub fn is_binding_success(&self) -> bool {
        self.kind == BINDING_SUCCESS
    }

    /// The part of USERNAME before the colon: the receiver's own fragment (RFC 8445 §7.2.2).
    pub fn local_ufrag(&self) -> Option<&'a [u8]> {
        self.username?.split(|byte| *byte == b':').next()
    }

    /// Whether MESSAGE-INTEGRITY is present and right under `key` (constant time).
    pub fn integrity_is_valid(&self, key: &hmac::Key) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let mut context = hmac::Context::with_key(key);
        context.update(&self.bytes[..2]);
        context.update(&((at + 24 - HEADER) as u16).to_be_bytes());
        context.update(&self.bytes[4..at]);
        let tag = context.sign();
        subtle::ConstantTimeEq::ct_eq(tag.as_ref(), &self.bytes[at + 4..at + 24]).into()
    }

    /// XOR-MAPPED-ADDRESS of a response, for clients and tests.
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        let mut at = HEADER;
        while at + 4 <= self.bytes.len() {
            let len = usize::from(u16_at(self.bytes, at + 2));
            if u16_at(self.bytes, at) == XOR_MAPPED_ADDRESS {
                return unxor_address(self.bytes.get(at + 4..at + 4 + len)?, &self.transaction);
            }
            at += 4 + len.next_multiple_of(4);
        }
        None
    }
}

/// The key of short-term credentials (RFC 8489 §9.1.1): the password itself.
pub fn integrity_key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// Writes the success response to `transaction`: the address it came from, integrity, fingerprint.
pub fn write_success(out: &mut Vec<u8>, transaction: &TransactionId, mapped: SocketAddr, key: &hmac::Key) {
    begin(out, BINDING_SUCCESS, transaction);
    let (family, ip) = match mapped.ip() {
        IpAddr::V4(ip) => (1u8, xor(&ip.octets(), transaction)),
        IpAddr::V6(ip) => (2u8, xor(&ip.octets(), transaction)),
    };
    let mut value = vec_header(family, mapped.port() ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]));
    value.extend_from_slice(&ip);
    attribute(out, XOR_MAPPED_ADDRESS, &value);
    finish(out, key);
}

/// Writes an error response with `code` (300..=699) and, for 420, all attributes that were not understood.
pub fn write_error(out: &mut Vec<u8>, transaction: &TransactionId, code: u16, unknown: &[u16], key: &hmac::Key) {
    begin(out, BINDING_ERROR, transaction);
    attribute(out, ERROR_CODE, &[0, 0, (code / 100) as u8, (code % 100) as u8]);
    if !unknown.is_empty() {
        let list: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
        attribute(out, UNKNOWN_ATTRIBUTES, &list);
    }
    finish(out, key);
}

/// Writes a connectivity check as a controlling client sends it, for tests and load tools.
pub fn write_check(out: &mut Vec<u8>, transaction: &TransactionId, username: &str, nominate: bool, key: &hmac::Key) {
    begin(out, BINDING_REQUEST, transaction);
    attribute(out, USERNAME, username.as_bytes());
    attribute(out, PRIORITY, &[0x6e, 0, 1, 0xff]);
    attribute(out, 0x802a, &[7; 8]); // ICE-CONTROLLING with a fixed tie-breaker
    if nominate {
        attribute(out, USE_CANDIDATE, &[]);
    }
    finish(out, key);
}

fn begin(out: &mut Vec<u8>, kind: u16, transaction: &TransactionId) {
    out.clear();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(transaction);
}

fn attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn finish(out: &mut Vec<u8>, key: &hmac::Key) {
    set_length(out, 24);
    let tag = hmac::sign(key, out);
    attribute(out, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(out, 8);
    let crc = crc32fast::hash(out) ^ FINGERPRINT_XOR;
    attribute(out, FINGERPRINT, &crc.to_be_bytes());
}

/// Both checksums cover a header whose length already counts the attribute that carries them.
fn set_length(out: &mut [u8], coming: usize) {
    let len = (out.len() - HEADER + coming) as u16;
    out[2..4].copy_from_slice(&len.to_be_bytes());
}

fn vec_header(family: u8, port: u16) -> Vec<u8> {
    let port = port.to_be_bytes();
    vec![0, family, port[0], port[1]]
}

fn xor(ip: &[u8], transaction: &TransactionId) -> Vec<u8> {
    ip.iter().zip(MAGIC.iter().chain(transaction)).map(|(a, b)| a ^ b).collect()
}

fn unxor_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let (head, ip) = value.split_at_checked(4)?;
    let port = u16_at(head, 2) ^ u16::from_be_bytes([MAGIC[0], MAGIC[1]]);
    let ip = xor(ip, transaction);
    let ip = match (head[1], ip.len()) {
        (1, 4) => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        (2, 16) => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
