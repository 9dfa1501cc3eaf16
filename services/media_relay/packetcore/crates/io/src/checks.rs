//! Arguments that only a wrong caller gives: refused before they reach a packet.

use crate::RelayError;
use majlis_core::endpoint::StageFormat;
use majlis_core::fanout::ListenerFormat;

/// RFC 8839 §5.4: 4 to 256 characters and 22 to 256, letters, digits, `+` and `/`.
pub fn check_credentials(ufrag: &str, pwd: &str) -> Result<(), RelayError> {
    let is_ice = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    if !(4..=256).contains(&ufrag.len()) || !is_ice(ufrag) {
        return Err(RelayError::Argument("an ICE user fragment has 4 to 256 letters and digits".to_owned()));
    }
    if !(22..=256).contains(&pwd.len()) || !is_ice(pwd) {
        return Err(RelayError::Argument("an ICE password has 22 to 256 letters and digits".to_owned()));
    }
    Ok(())
}

fn check_payload_type(payload_type: u8) -> Result<(), RelayError> {
    // RFC 5761 §4: 64 to 95 would look like RTCP.
    if payload_type > 127 || (64..96).contains(&payload_type) {
        return Err(RelayError::Argument(format!("{payload_type} is no RTP payload type to share a port with RTCP")));
    }
    Ok(())
}

/// The relay writes extensions in their one-byte form, whose ids are 1 to 14.
fn check_extension(id: Option<u8>, written: bool) -> Result<(), RelayError> {
    match id {
        Some(0 | 15) => Err(RelayError::Argument("header extension ids 0 and 15 are reserved".to_owned())),
        Some(id @ 16..) if written => Err(RelayError::Argument(format!("header extension id {id} is not 1 to 14"))),
        _ => Ok(()),
    }
}

/// What a stage session negotiated can be sent and told apart.
pub fn check_stage_format(format: &StageFormat) -> Result<(), RelayError> {
    check_payload_type(format.payload_type)?;
    check_extension(format.level_extension_id, false)?;
    for (at, slot) in format.slots.iter().enumerate() {
        check_payload_type(slot.payload_type)?;
        if format.slots[..at].iter().any(|other| other.ssrc == slot.ssrc) {
            return Err(RelayError::Argument(format!("two slots have the SSRC {}", slot.ssrc)));
        }
    }
    if format.slots.len() > 16 {
        return Err(RelayError::Argument("a stage session has at most 16 slots".to_owned()));
    }
    Ok(())
}

/// What a listener negotiated can be sent.
pub fn check_listener_format(format: &ListenerFormat) -> Result<(), RelayError> {
    check_payload_type(format.payload_type)?;
    format.red_payload_type.map_or(Ok(()), check_payload_type)?;
    check_extension(format.abs_capture_time_id, true)?;
    check_extension(format.level_extension_id, true)
}
