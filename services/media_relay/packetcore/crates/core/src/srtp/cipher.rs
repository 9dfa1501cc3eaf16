//! The two constructions behind the profiles: GCM, and counter mode with HMAC.

use super::kdf::Derived;
use super::{Profile, SrtpError};
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ring::{aead, hmac};

const GCM_TAG: usize = 16;
const CM_TAG: usize = 10;

/// One direction's cipher for RTP or for RTCP.
#[expect(clippy::large_enum_variant, reason = "the large one is what nearly every session has, read once a packet")]
pub(super) enum Cipher {
    Gcm { key: aead::LessSafeKey, salt: [u8; 12] },
    Cm(Box<CounterMode>),
}

/// Boxed: it is the profile of few clients, and the enum's size is paid by every listener.
pub(super) struct CounterMode {
    aes: aes::Aes128,
    salt: [u8; 14],
    auth: hmac::Key,
}

impl Cipher {
    pub fn new(profile: Profile, derived: &Derived) -> Result<Self, SrtpError> {
        let algorithm = match profile {
            Profile::AeadAes128Gcm => &aead::AES_128_GCM,
            Profile::AeadAes256Gcm => &aead::AES_256_GCM,
            Profile::Aes128CmHmacSha1_80 => return Ok(Self::Cm(Box::new(CounterMode::new(derived)?))),
        };
        let key = aead::UnboundKey::new(algorithm, &derived.key).map_err(|_| SrtpError::Malformed)?;
        Ok(Self::Gcm {
            key: aead::LessSafeKey::new(key),
            salt: derived.salt.as_slice().try_into().map_err(|_| SrtpError::Malformed)?,
        })
    }

    pub fn tag_len(&self) -> usize {
        match self {
            Self::Gcm { .. } => GCM_TAG,
            Self::Cm(_) => CM_TAG,
        }
    }

    /// Seals an RTP packet of `len` bytes at the start of `buf`; returns the new length.
    pub fn seal_rtp(
        &self,
        buf: &mut [u8],
        header: usize,
        len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let end = len + self.tag_len();
        if end > buf.len() || header > len {
            return Err(SrtpError::NoRoom);
        }
        match self {
            Self::Gcm { key, salt } => {
                let (aad, rest) = buf.split_at_mut(header);
                let nonce = gcm_nonce(salt, ssrc, index);
                let (body, tail) = rest.split_at_mut(len - header);
                let tag = key
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(&*aad), body)
                    .map_err(|_| SrtpError::Exhausted)?;
                tail[..GCM_TAG].copy_from_slice(tag.as_ref());
            }
            Self::Cm(cm) => {
                cm.crypt(ssrc, index, &mut buf[header..len]);
                let tag = cm.tag(&buf[..len], &((index >> 16) as u32).to_be_bytes());
                buf[len..end].copy_from_slice(&tag);
            }
        }
        Ok(end)
    }

    /// Opens an RTP packet in place; returns its length without the tag.
    pub fn open_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Result<usize, SrtpError> {
        let end = packet.len().checked_sub(self.tag_len()).ok_or(SrtpError::Malformed)?;
        if header > end {
            return Err(SrtpError::Malformed);
        }
        match self {
            Self::Gcm { key, salt } => {
                let (aad, body) = packet.split_at_mut(header);
                key.open_in_place(gcm_nonce(salt, ssrc, index), aead::Aad::from(&*aad), body)
                    .map_err(|_| SrtpError::Authentication)?;
            }
            Self::Cm(cm) => {
                let (message, tag) = packet.split_at_mut(end);
                cm.verify(message, &((index >> 16) as u32).to_be_bytes(), tag)?;
                cm.crypt(ssrc, index, &mut message[header..]);
            }
        }
        Ok(end)
    }

    /// Seals an RTCP packet, always encrypted; `index` is below 2³¹.
    pub fn seal_rtcp(&self, packet: &mut Vec<u8>, ssrc: u32, index: u32) -> Result<(), SrtpError> {
        if packet.len() < 8 {
            return Err(SrtpError::Malformed);
        }
        let word = (index | 1 << 31).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let mut aad = [0; 12];
                aad[..8].copy_from_slice(&packet[..8]);
                aad[8..].copy_from_slice(&word);
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let tag = key
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), &mut packet[8..])
                    .map_err(|_| SrtpError::Exhausted)?;
                packet.extend_from_slice(tag.as_ref());
                packet.extend_from_slice(&word);
            }
            Self::Cm(cm) => {
                cm.crypt(ssrc, u64::from(index), &mut packet[8..]);
                let tag = cm.tag(packet, &word);
                packet.extend_from_slice(&word);
                packet.extend_from_slice(&tag);
            }
        }
        Ok(())
    }

    /// Opens an RTCP packet in place; returns its length without index and tag.
    pub fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, SrtpError> {
        let end = packet.len().checked_sub(self.tag_len() + 4).ok_or(SrtpError::Malformed)?;
        if end < 8 {
            return Err(SrtpError::Malformed);
        }
        let index = u64::from(word & 0x7fff_ffff);
        let encrypted = word >> 31 == 1;
        match self {
            Self::Gcm { key, salt } => {
                open_rtcp_gcm(key, gcm_nonce(salt, ssrc, index), packet, end, word)?;
            }
            Self::Cm(cm) => {
                let (message, rest) = packet.split_at_mut(end);
                cm.verify(message, &rest[..4], &rest[4..])?;
                if encrypted {
                    cm.crypt(ssrc, index, &mut message[8..]);
                }
            }
        }
        Ok(end)
    }

    /// The E bit and SRTCP index as sent; where it sits depends on the construction.
    pub fn rtcp_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Gcm { .. } => 4,
            Self::Cm(_) => CM_TAG + 4,
        };
        let at = packet.len().checked_sub(behind)?;
        Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?))
    }
}

/// RFC 7714 §9.3: with the E bit unset the whole packet is associated data and only the tag follows.
fn open_rtcp_gcm(
    key: &aead::LessSafeKey,
    nonce: aead::Nonce,
    packet: &mut [u8],
    end: usize,
    word: u32,
) -> Result<(), SrtpError> {
    let mut aad = [0u8; 12];
    aad[..8].copy_from_slice(&packet[..8]);
    aad[8..].copy_from_slice(&word.to_be_bytes());
    if word >> 31 == 1 {
        key.open_in_place(nonce, aead::Aad::from(aad), &mut packet[8..end + GCM_TAG])
    } else {
        let mut whole = packet[..end].to_vec();
        whole.extend_from_slice(&word.to_be_bytes());
        key.open_in_place(nonce, aead::Aad::from(whole), &mut packet[end..end + GCM_TAG])
    }
    .map_err(|_| SrtpError::Authentication)?;
    Ok(())
}

/// RFC 7714 §8.1 and §9.1: zeros, SSRC, then the 48-bit index (ROC and sequence number, or the SRTCP index).
fn gcm_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> aead::Nonce {
    let mut nonce = *salt;
    for (byte, value) in nonce[2..6].iter_mut().zip(ssrc.to_be_bytes()) {
        *byte ^= value;
    }
    for (byte, value) in nonce[6..].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *byte ^= value;
    }
    aead::Nonce::assume_unique_for_key(nonce)
}

impl CounterMode {
    fn new(derived: &Derived) -> Result<Self, SrtpError> {
        Ok(Self {
            aes: aes::Aes128::new_from_slice(&derived.key).map_err(|_| SrtpError::Malformed)?,
            salt: derived.salt.as_slice().try_into().map_err(|_| SrtpError::Malformed)?,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &derived.auth),
        })
    }

    /// RFC 3711 §4.1.1: (salt · 2¹⁶) ⊕ (SSRC · 2⁶⁴) ⊕ (index · 2¹⁶).
    fn crypt(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = [0u8; 16];
        iv[..14].copy_from_slice(&self.salt);
        for (byte, value) in iv[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
            *byte ^= value;
        }
        for (byte, value) in iv[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
            *byte ^= value;
        }
        let core = ctr::CtrCore::<&aes::Aes128, ctr::flavors::Ctr128BE>::inner_iv_init(&self.aes, &iv.into());
        core.apply_keystream_partial(data.into());
    }

    fn tag(&self, message: &[u8], suffix: &[u8]) -> [u8; CM_TAG] {
        let mut context = hmac::Context::with_key(&self.auth);
        context.update(message);
        context.update(suffix);
        let mut tag = [0; CM_TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..CM_TAG]);
        tag
    }

    fn verify(&self, message: &[u8], suffix: &[u8], tag: &[u8]) -> Result<(), SrtpError> {
        let right: bool = subtle::ConstantTimeEq::ct_eq(&self.tag(message, suffix)[..], tag).into();
        right.then_some(()).ok_or(SrtpError::Authentication)
    }
}

#[cfg(test)]
mod tests {
    //! RFC 7714 gives session keys, not master keys, so its vectors are checked below the key derivation.

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let text = |pair: &[u8]| String::from_utf8(pair.to_vec()).expect("ASCII");
        digits.chunks(2).map(|pair| u8::from_str_radix(&text(pair), 16).expect("hex")).collect()
    }

    fn cipher(profile: Profile) -> Cipher {
        let derived = Derived {
            key: (0..profile.key_len() as u8).collect(),
            auth: [0; 20],
            salt: bytes("517569642070726f2071756f"),
        };
        Cipher::new(profile, &derived).expect("right lengths")
    }

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
        69736120 696e2070 61727465 73207472 6573";

    fn assert_rtp_vector(profile: Profile, sealed: &str) {
        let (plain, sealed) = (bytes(RTP), bytes(sealed));
        let mut packet = plain.clone();
        packet.resize(plain.len() + 16, 0);
        let len = cipher(profile).seal_rtp(&mut packet, 12, plain.len(), 0x5501_a0b2, 0xf17b).expect("room");
        assert_eq!(packet[..len], sealed[..]);
        let len = cipher(profile).open_rtp(&mut packet, 12, 0x5501_a0b2, 0xf17b).expect("authentic");
        assert_eq!(packet[..len], plain[..]);
    }

    #[test]
    fn rtp_is_sealed_as_rfc_7714_section_16_1_shows_for_128_bits() {
        assert_rtp_vector(
            Profile::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b
            36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
    }

    #[test]
    fn rtp_is_sealed_as_rfc_7714_section_16_2_shows_for_256_bits() {
        assert_rtp_vector(
            Profile::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f
            1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        );
    }

    #[test]
    fn rtcp_is_sealed_as_rfc_7714_section_17_1_shows() {
        let plain = bytes(
            "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
            deadbeef deadbeef",
        );
        let sealed = bytes(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
            86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        );
        let mut packet = plain.clone();
        cipher(Profile::AeadAes128Gcm).seal_rtcp(&mut packet, 0x4d61_7273, 0x5d4).expect("long enough");
        assert_eq!(packet, sealed);
        let len = cipher(Profile::AeadAes128Gcm).open_rtcp(&mut packet, 0x4d61_7273, 0x8000_05d4).expect("authentic");
        assert_eq!(packet[..len], plain[..]);
    }
}
