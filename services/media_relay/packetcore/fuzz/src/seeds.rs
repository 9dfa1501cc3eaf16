//! Well-formed inputs to begin with; `cargo run -p fuzz -- seeds` writes them into the corpora.

use majlis_core::rtp::Header;
use majlis_core::srtp::{Profile, SealKey};
use majlis_core::{framing, rtcp, stun};
use majlis_programme::{Csrcs, Payload, ProgrammeFrame};

/// Credentials of the session that the endpoint target has.
pub const UFRAG: &str = "frag";
/// Its password.
pub const PASSWORD: &str = "password-of-22-letters";

/// Inputs of one target.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "stun" => vec![check(), success("192.0.2.1:5"), success("[2001:db8::1]:5")],
        "rtp" => vec![plain_rtp(), two_byte_rtp()],
        "rtcp" => vec![compound()],
        "srtp" => sealed(),
        "endpoint" => [vec![check(), dtls(), plain_rtp()], sealed()].concat(),
        "red" => vec![vec![111, 1, 2, 3], vec![0x80 | 111, 0x0f, 0x00, 3, 111, 1, 2, 3, 9, 9]],
        "programme_frame" => vec![frame(0), frame(3)],
        "opus_packet" => vec![
            vec![0x78, 1, 2],
            vec![0xf9, 1, 1, 2, 2],
            vec![0xfb, 0x83, 1, 1, 7, 8, 9],
            vec![0x1b, 0x42, 2, 0, 0, 0, 0],
        ],
        "mux" => vec![[&[0, 3, 0x78, 1, 2][..], &[4, 2, 0x78, 9], &[255, 3, 0xf9, 1, 1]].concat()],
        // Two on the floor, two in a booth; who hears what; the floor changes hands.
        "stage" => vec![
            [
                vec![0, 1, 0, 2, 0, 2, 0, 2, 0, 9, 1, 1, 0, 10, 1, 0, 2, 1, 1, 2],
                [4, 1, 20, 20].repeat(8),
                [4, 9, 20, 1].repeat(2),
                [4, 2, 20, 90].repeat(9),
                vec![3, 2, 0, 1, 1, 2, 0, 0],
            ]
            .concat(),
        ],
        "framing" => {
            vec![framed(&[&check(), &dtls(), &plain_rtp()]), framed(&[&[9; 1500], &[1]]), b"GET / HTTP/1.1".to_vec()]
        }
        _ => Vec::new(),
    }
}

fn framed(datagrams: &[&[u8]]) -> Vec<u8> {
    datagrams.iter().flat_map(|datagram| [&framing::head(datagram.len())[..], datagram].concat()).collect()
}

/// A nominating check for the endpoint target's session.
pub fn check() -> Vec<u8> {
    let mut out = Vec::new();
    stun::write_check(&mut out, &[5; 12], &format!("{UFRAG}:far"), true, &stun::integrity_key(PASSWORD));
    out
}

fn success(address: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let address = address.parse().expect("a literal address");
    stun::write_success(&mut out, &[5; 12], address, &stun::integrity_key(PASSWORD));
    out
}

fn dtls() -> Vec<u8> {
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 1];
    hello.resize(60, 3);
    hello
}

fn plain_rtp() -> Vec<u8> {
    let mut buf = vec![0; 200];
    let header = Header {
        marker: true,
        payload_type: 111,
        timestamp: 960,
        csrcs: &[1, 2],
        level: Some((1, 30)),
        capture_time: Some((3, 1 << 40)),
    };
    let at = header.write(&mut buf);
    buf[at..at + 40].fill(0x78);
    buf.truncate(at + 40);
    buf
}

fn two_byte_rtp() -> Vec<u8> {
    let mut bytes = vec![0xb0, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0x00, 0, 2, 7, 1, 0x85, 0, 20, 2, 1, 2];
    bytes.extend([0x78, 2, 3, 0, 2]);
    bytes
}

fn compound() -> Vec<u8> {
    let mut out = Vec::new();
    rtcp::write_sender_report(&mut out, 1, 1 << 40, 2, 3, 4);
    rtcp::write_receiver_report(&mut out, 1, Some(&rtcp::ReportBlock::default()));
    rtcp::write_cname(&mut out, 1, "relay");
    rtcp::write_goodbye(&mut out, 1);
    out
}

/// RTP and RTCP under the keys that the targets have.
fn sealed() -> Vec<Vec<u8>> {
    let profiles = [Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmHmacSha1_80];
    let seal = |profile: Profile| {
        let mut key = SealKey::new(profile, &vec![7; profile.key_len() + profile.salt_len()]).expect("right length");
        let mut stream = key.open_stream(9, 100).expect("first");
        let mut rtp = plain_rtp();
        let len = rtp.len();
        rtp.resize(len + 16, 0);
        let end = key.seal_rtp(stream.claim_next().expect("room"), &mut rtp, len - 40, len).expect("room");
        rtp.truncate(end);
        let mut rtcp = compound();
        key.seal_rtcp(&mut rtcp).expect("long enough");
        [rtp, rtcp]
    };
    profiles.into_iter().flat_map(seal).collect()
}

fn frame(csrcs: u32) -> Vec<u8> {
    let frame = ProgrammeFrame {
        start_of_talk: csrcs == 0,
        end_of_talk: false,
        level: 30,
        stream: 1,
        sequence: 2,
        timestamp: 960,
        capture_ntp: 1 << 40,
        csrcs: Csrcs::from_loudest(0..csrcs),
        payload: Payload::new(&[0x78; 60]).expect("short enough"),
    };
    frame.encode()
}
