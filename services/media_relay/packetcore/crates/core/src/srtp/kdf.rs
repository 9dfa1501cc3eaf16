//! Session keys from the master key and salt (RFC 3711 §4.3, RFC 7714 §11), key derivation rate zero.

use super::{Profile, SrtpError};
use aes::cipher::{KeyIvInit, StreamCipher};

/// What a derived key is for: the labels of RFC 3711 §4.3.2.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Rtp = 0,
    Rtcp = 3,
}

/// Encryption key, authentication key and salt for one use.
pub(super) struct Derived {
    pub key: Vec<u8>,
    pub auth: [u8; 20],
    pub salt: Vec<u8>,
}

/// Derives the keys of one use from `master`, the key followed by its salt.
pub(super) fn derive(profile: Profile, master: &[u8], what: Use) -> Result<Derived, SrtpError> {
    let needed = profile.key_len() + profile.salt_len();
    if master.len() != needed {
        return Err(SrtpError::KeyLength { needed, got: master.len() });
    }
    let (key, salt) = master.split_at(profile.key_len());
    let label = what as u8;
    let mut derived = Derived { key: vec![0; profile.key_len()], auth: [0; 20], salt: vec![0; profile.salt_len()] };
    expand(key, salt, label, &mut derived.key);
    expand(key, salt, label + 1, &mut derived.auth);
    expand(key, salt, label + 2, &mut derived.salt);
    Ok(derived)
}

/// The AES-CM pseudo-random function: key stream under the salt with the label mixed in at its eighth byte.
fn expand(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut counter = [0u8; 16];
    // RFC 7714 §11: a 96-bit salt is taken as 112 bits with zeros behind it.
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label;
    out.fill(0);
    if key.len() == 32 {
        ctr::Ctr128BE::<aes::Aes256>::new(key.into(), &counter.into()).apply_keystream(out);
    } else {
        ctr::Ctr128BE::<aes::Aes128>::new(key.into(), &counter.into()).apply_keystream(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
        };
        let master = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let derived = derive(Profile::Aes128CmHmacSha1_80, &master, Use::Rtp).expect("right length");
        assert_eq!(derived.key, hex("c61e7a93744f39ee10734afe3ff7a087"));
        assert_eq!(derived.salt, hex("30cbbc08863d8c85d49db34a9ae1"));
        assert_eq!(derived.auth[..], hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4")[..]);
    }
}
