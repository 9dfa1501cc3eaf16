//! A small WHEP and WHIP server on str0m for the tests: plays a tone to listeners, keeps what speakers say.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use str0m::change::SdpOffer;
use str0m::media::{Direction, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{AbsCaptureTime, Extension, ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

/// A speaker's packet: payload, level, timestamp.
pub type Spoken = (Vec<u8>, Option<i8>, u32);

/// What the server saw.
#[derive(Default)]
pub struct Seen {
    /// Packets of speakers.
    pub spoken: Mutex<Vec<Spoken>>,
    /// Sessions ended by DELETE.
    pub deleted: AtomicU64,
    /// Sessions opened.
    pub opened: AtomicU64,
}

/// Starts a server whose programme leaves out the sequence numbers `skip` names; gives its address.
pub fn serve(skip: fn(u64) -> bool) -> (String, Arc<Seen>) {
    majlis_load::dtls::install();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&shared);
            std::thread::spawn(move || answer(stream, &seen, skip));
        }
    });
    (address, seen)
}

fn answer(mut stream: TcpStream, seen: &Arc<Seen>, skip: fn(u64) -> bool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|len| len > 2) {}
        if head.is_empty() {
            return;
        }
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let reply = respond(&head, &String::from_utf8_lossy(&body), seen, skip);
        stream.write_all(reply.as_bytes()).unwrap();
    }
}

fn respond(head: &str, body: &str, seen: &Arc<Seen>, skip: fn(u64) -> bool) -> String {
    if !head.to_ascii_lowercase().contains("authorization: bearer good") {
        return "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nrefuse".into();
    }
    if head.starts_with("DELETE") {
        seen.deleted.fetch_add(1, Ordering::Relaxed);
        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into();
    }
    if head.contains("JoinRoom") {
        let joined = r#"{"permit":{"permit":"good","path":"/whep/session"}}"#;
        return format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{joined}",
            joined.len()
        );
    }
    seen.opened.fetch_add(1, Ordering::Relaxed);
    let sdp = open(body, Arc::clone(seen), skip);
    format!(
        "HTTP/1.1 201 Created\r\nLocation: /session/1\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}

fn open(offer: &str, seen: Arc<Seen>, skip: fn(u64) -> bool) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let local = socket.local_addr().unwrap();
    let mut rtc = Rtc::builder()
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .set_extension(3, Extension::AbsoluteCaptureTime)
        .build(Instant::now());
    rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
    let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer).unwrap()).unwrap();
    std::thread::spawn(move || Session { rtc, socket, local, seen, skip, outgoing: None }.run());
    answer.to_sdp_string()
}

struct Session {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    seen: Arc<Seen>,
    skip: fn(u64) -> bool,
    outgoing: Option<Mid>,
}

impl Session {
    fn run(mut self) {
        self.socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio).unwrap();
        let mut buffer = vec![0; 2000];
        let (begun, mut connected, mut tick) = (Instant::now(), None, 0u64);
        while begun.elapsed() < Duration::from_secs(20) {
            self.drain(&mut connected);
            if let Ok((len, source)) = self.socket.recv_from(&mut buffer)
                && let Ok(contents) = buffer[..len].try_into()
            {
                let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                continue;
            }
            self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            let Some(since) = connected else { continue };
            if Instant::elapsed(&since) >= Duration::from_millis(20 * tick) {
                let tone = |n: u64| 0.2 * (std::f32::consts::TAU * 440.0 * (tick * 960 + n) as f32 / 48_000.0).sin();
                let packet = encoder.encode_vec_float(&(0..960).map(tone).collect::<Vec<f32>>(), 1275).unwrap();
                self.play(tick, packet);
                tick += 1;
            }
        }
    }

    fn play(&mut self, tick: u64, packet: Vec<u8>) {
        let Some(mid) = self.outgoing.filter(|_| !(self.skip)(tick)) else { return };
        let payload_type = self.rtc.media(mid).unwrap().remote_pts()[0];
        let capture = AbsCaptureTime { capture_time: SystemTime::now(), clock_offset: None };
        let extensions = ExtensionValues { abs_capture_time: Some(capture), ..ExtensionValues::default() };
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            let write = RtpWrite::new(payload_type, (1000 + tick).into(), tick as u32 * 960, Instant::now(), packet);
            stream.write_rtp(write.ext_vals(extensions).csrc(&[7, 9]).marker(tick == 0));
        }
    }

    fn drain(&mut self, connected: &mut Option<Instant>) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => return,
                Output::Transmit(packet) => drop(self.socket.send_to(&packet.contents, packet.destination)),
                Output::Event(Event::Connected) => *connected = Some(Instant::now()),
                Output::Event(Event::MediaAdded(media)) if media.direction == Direction::SendOnly => {
                    self.outgoing = Some(media.mid)
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let header = packet.header;
                    let spoken = (packet.payload.to_vec(), header.ext_vals.audio_level, header.timestamp);
                    self.seen.spoken.lock().unwrap().push(spoken);
                }
                Output::Event(_) => {}
            }
        }
    }
}
