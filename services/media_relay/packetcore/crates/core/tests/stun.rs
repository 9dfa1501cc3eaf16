//! STUN messages as RFC 5769 shows them, and what the parser refuses.

use majlis_core::stun::{self, Message, StunError};

const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff\
    80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2\
    80280004e57a3bcf";
const RESPONSE_4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
const RESPONSE_6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa\
    a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn the_sample_request_of_rfc_5769_is_understood() {
    let request = bytes(REQUEST);
    let message = Message::parse(&request).expect("valid");
    assert!(message.is_binding_request() && message.fingerprint && message.controlled && !message.use_candidate);
    assert_eq!(message.local_ufrag(), Some(&b"evtj"[..]));
    assert!(message.integrity_is_valid(&stun::integrity_key(PASSWORD)));
    assert!(!message.integrity_is_valid(&stun::integrity_key("VOkJxbRl1RmTxUk/WvJxBu")));
}

#[test]
fn the_sample_responses_of_rfc_5769_are_understood() {
    for (response, address) in
        [(RESPONSE_4, "192.0.2.1:32853"), (RESPONSE_6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let response = bytes(response);
        let message = Message::parse(&response).expect("valid");
        assert!(message.is_binding_success() && message.integrity_is_valid(&stun::integrity_key(PASSWORD)));
        assert_eq!(message.mapped_address(), Some(address.parse().expect("address")));
    }
}

#[test]
fn what_we_write_reads_back_for_both_address_families() {
    let key = stun::integrity_key("some password");
    for address in ["192.0.2.9:1", "[2001:db8::7]:65535"] {
        let mut out = Vec::new();
        stun::write_success(&mut out, &[7; 12], address.parse().expect("address"), &key);
        let message = Message::parse(&out).expect("valid");
        assert!(message.is_binding_success() && message.fingerprint && message.integrity_is_valid(&key));
        assert_eq!((message.transaction, message.mapped_address()), ([7; 12], address.parse().ok()));
    }
}

#[test]
fn use_candidate_behind_the_integrity_check_does_not_count() {
    let mut request = bytes(REQUEST);
    request.truncate(request.len() - 8);
    request.extend([0x00, 0x25, 0, 0]);
    request[3] = (request.len() - 20) as u8;
    assert!(!Message::parse(&request).expect("well-formed").use_candidate);
}

#[test]
fn all_attributes_that_are_not_understood_are_named() {
    let mut request = bytes(REQUEST);
    request.truncate(20);
    for kind in [0x0019u16, 0x8028 ^ 0x8000, 0x0019, 0x7f00, 0xc001] {
        request.extend(kind.to_be_bytes());
        request.extend([0, 0]);
    }
    request[3] = (request.len() - 20) as u8;
    let message = Message::parse(&request).expect("well-formed");
    assert_eq!(message.unknown_required, [0x0019, 0x0028, 0x7f00]);
    let mut out = Vec::new();
    let key = stun::integrity_key("some password");
    stun::write_error(&mut out, &message.transaction, 420, &message.unknown_required, &key);
    let named = [0, 0x0a, 0, 6, 0, 0x19, 0, 0x28, 0x7f, 0, 0, 0];
    assert_eq!(out[28..40], named, "after ERROR-CODE, padded");
    assert!(Message::parse(&out).expect("valid").integrity_is_valid(&key));
}

#[test]
fn every_cut_and_every_wrong_length_is_refused() {
    let request = bytes(REQUEST);
    for len in 0..request.len() {
        assert!(Message::parse(&request[..len]).is_err(), "cut at {len}");
    }
    let mut longer = request.clone();
    longer.extend([0; 4]);
    assert_eq!(Message::parse(&longer).map(|_| ()), Err(StunError::Header));
    let mut wrong = request;
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    assert_eq!(Message::parse(&wrong).map(|_| ()), Err(StunError::Fingerprint));
}
