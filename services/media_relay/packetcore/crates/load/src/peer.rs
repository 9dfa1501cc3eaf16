//! One WebRTC session of the load tool: str0m for ICE, DTLS and SRTP over a socket that is polled, never waited on.

use crate::count::StreamCount;
use crate::link::{Link, Parts};
use crate::receive::Receiver;
use crate::wire::{Protocol, RtpView, protocol};
use anyhow::{Context, Result, anyhow};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Receive, TcpType};
use str0m::rtp::{Extension, ExtensionValues, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

/// Extension ids offered; the answer keeps them.
const LEVEL_ID: u8 = 1;
const CAPTURE_ID: u8 = 3;
const MID_ID: u8 = 4;

/// What a session is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// A microphone m-line.
    pub speaks: bool,
    /// Receiving m-lines.
    pub hears: usize,
    /// Offers RFC 2198.
    pub red: bool,
    /// Media goes over TCP.
    pub tcp: bool,
    /// Reads nothing any more once it hears.
    pub stalls: bool,
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Handshakes run.
    Connecting,
    /// Media flows.
    Connected,
    /// Over, and why.
    Ended(String),
}

/// What a session tells while it is pumped.
pub trait Sink {
    /// A media packet as it came, with its arrival time (NTP 32.32) and the id of abs-capture-time; false drops it.
    fn arrived(&mut self, packet: &RtpView<'_>, arrival: u64, capture_id: u8) -> bool;
    /// A packet that was decrypted.
    fn decrypted(&mut self, packet: RtpPacket);
}

/// A session that has an offer and waits for the answer.
pub struct Offered {
    rtc: Rtc,
    pending: SdpPendingOffer,
    /// None until it is known where a TCP connection leads.
    link: Option<Link>,
    stalls: bool,
    /// The microphone's m-line.
    microphone: Option<Mid>,
    /// The offer.
    pub sdp: String,
}

/// A session under way.
pub struct Peer {
    rtc: Rtc,
    link: Link,
    parts: Parts,
    local: SocketAddr,
    remote: SocketAddr,
    /// Reads nothing any more once it hears.
    stalls: bool,
    microphone: Option<Mid>,
    wake: Instant,
    /// Where it is.
    pub state: State,
    /// Hands every media packet to str0m; without, only until the session stands.
    decrypts: bool,
    red: Option<u8>,
    /// Its packets.
    pub count: StreamCount,
    /// When it was offered, connected, and first heard something.
    pub offered: Instant,
    /// When the handshakes were done.
    pub connected: Option<Instant>,
    /// When the first media packet came.
    pub heard: Option<Instant>,
}

/// Builds an offer; over UDP on a socket of its own on `ip`.
pub fn offer(wanted: Wanted, ip: IpAddr) -> Result<Offered> {
    let link = if wanted.tcp { None } else { Some(Link::udp(ip)?) };
    let mut rtc = Rtc::builder()
        .clear_codecs()
        .enable_opus(true, wanted.red)
        .clear_extension_map()
        .set_extension(LEVEL_ID, Extension::AudioLevel)
        .set_extension(CAPTURE_ID, Extension::AbsoluteCaptureTime)
        .set_extension(MID_ID, Extension::RtpMid)
        .set_rtp_mode(true)
        .set_send_buffer_audio(50)
        .set_rtcp_report_interval_audio(Duration::from_secs(1))
        .build(Instant::now());
    if let Some(link) = &link {
        rtc.add_local_candidate(Candidate::host(link.local()?, "udp")?);
    }
    let mut change = rtc.sdp_api();
    let audio = MediaKind::Audio;
    let microphone = wanted.speaks.then(|| change.add_media(audio, Direction::SendOnly, None, None, None));
    for _ in 0..wanted.hears {
        change.add_media(audio, Direction::RecvOnly, None, None, None);
    }
    let (offer, pending) = change.apply().context("an offer without media")?;
    Ok(Offered { sdp: offer.to_sdp_string(), rtc, pending, link, stalls: wanted.stalls, microphone })
}

impl Offered {
    /// Takes the answer and starts.
    pub fn accept(mut self, answer: &str) -> Result<Peer> {
        let (protocol, named) = if self.link.is_some() { ("udp", "UDP") } else { ("tcp", "TCP") };
        let remote = candidate(answer, protocol).with_context(|| format!("the answer names no {named} candidate"))?;
        let parsed = SdpAnswer::from_sdp_string(answer).map_err(|error| anyhow!("the answer is not SDP: {error}"))?;
        self.rtc.sdp_api().accept_answer(self.pending, parsed).context("the answer does not fit the offer")?;
        let link = match self.link {
            Some(link) => link,
            None => {
                let link = Link::tcp(remote)?;
                let active = Candidate::builder().tcp().host(link.local()?).tcptype(TcpType::Active).build()?;
                self.rtc.add_local_candidate(active);
                link
            }
        };
        let now = Instant::now();
        Ok(Peer {
            rtc: self.rtc,
            local: link.local()?,
            link,
            parts: Parts::default(),
            remote,
            stalls: self.stalls,
            microphone: self.microphone,
            wake: now,
            state: State::Connecting,
            decrypts: true,
            red: red_payload_type(answer),
            count: StreamCount::default(),
            offered: now,
            connected: None,
            heard: None,
        })
    }
}

/// Address of the answer's first candidate over this protocol.
fn candidate(sdp: &str, protocol: &str) -> Option<SocketAddr> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let fits = fields.get(2)?.eq_ignore_ascii_case(protocol);
        let ip: IpAddr = fields.get(4)?.parse().ok()?;
        fits.then_some(SocketAddr::new(ip, fields.get(5)?.parse().ok()?))
    })
}

/// Payload type the answer gives to `red`.
fn red_payload_type(sdp: &str) -> Option<u8> {
    let maps = sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:"));
    maps.filter_map(|map| map.split_once(' '))
        .find(|(_, name)| name.to_ascii_lowercase().starts_with("red/"))?
        .0
        .parse()
        .ok()
}

impl Peer {
    /// Reads what waits, does what is due, sends what must be sent.
    pub fn pump(&mut self, now: Instant, receiver: &mut Receiver, sink: &mut impl Sink) {
        if matches!(self.state, State::Ended(_)) {
            return;
        }
        if self.stalls && self.heard.is_some() {
            return;
        }
        // A copy: reading must not borrow the whole session.
        match self.link.clone() {
            Link::Udp(socket) => receiver.drain(&socket, |datagram, arrival| self.take(datagram, arrival, now, sink)),
            Link::Tcp(stream) => {
                let mut come = std::mem::take(&mut self.parts.come);
                come.drain(&stream, |datagram, arrival| self.take(datagram, arrival, now, sink));
                self.parts.come = come;
            }
        }
        if self.wake <= now {
            self.input(Input::Timeout(now), sink);
        }
    }

    fn take(&mut self, datagram: &[u8], arrival: u64, now: Instant, sink: &mut impl Sink) {
        if protocol(datagram) == Protocol::Rtp {
            let Some(view) = RtpView::parse(datagram) else { return };
            if !sink.arrived(&view, arrival, CAPTURE_ID) {
                return;
            }
            self.count.note(view.sequence, view.marker, arrival);
            self.heard.get_or_insert(now);
            if !self.decrypts && self.state == State::Connected {
                return;
            }
        }
        let Ok(contents) = datagram.try_into() else { return };
        let receive = Receive { proto: self.link.protocol(), source: self.remote, destination: self.local, contents };
        self.input(Input::Receive(now, receive), sink);
    }

    fn input(&mut self, input: Input<'_>, sink: &mut impl Sink) {
        if let Err(error) = self.rtc.handle_input(input) {
            self.state = State::Ended(error.to_string());
        }
        self.drain(sink);
    }

    fn drain(&mut self, sink: &mut impl Sink) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake = at;
                    return;
                }
                // A full socket buffer or a closed port is the network's loss; ICE notices if it lasts.
                Ok(Output::Transmit(packet)) => match &self.link {
                    Link::Udp(socket) => drop(socket.send_to(&packet.contents, packet.destination)),
                    Link::Tcp(stream) => self.parts.to_go.send(stream, &packet.contents),
                },
                Ok(Output::Event(event)) => self.event(event, sink),
                Err(error) => {
                    self.state = State::Ended(error.to_string());
                    return;
                }
            }
        }
    }

    fn event(&mut self, event: Event, sink: &mut impl Sink) {
        match event {
            Event::Connected => {
                self.state = State::Connected;
                self.connected.get_or_insert_with(Instant::now);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.state = State::Ended("the relay answers no more checks".into());
            }
            Event::RtpPacket(packet) => sink.decrypted(packet),
            _ => {}
        }
    }

    /// Sends one Opus packet from the microphone.
    pub fn say(&mut self, packet: &Said<'_>, sink: &mut impl Sink) {
        let Some(mid) = self.microphone.filter(|_| self.state == State::Connected) else { return };
        let Some(payload_type) = self.rtc.media(mid).and_then(|media| media.remote_pts().first().copied()) else {
            return;
        };
        let level = ExtensionValues {
            audio_level: Some(-(packet.level.min(127) as i8)),
            voice_activity: Some(packet.level < 60),
            ..ExtensionValues::default()
        };
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            let sequence = packet.sequence.into();
            let write =
                RtpWrite::new(payload_type, sequence, packet.timestamp, Instant::now(), packet.payload.to_vec());
            stream.write_rtp(write.ext_vals(level).marker(packet.marker));
        }
        // The stream is flushed by the timeout that follows.
        self.input(Input::Timeout(Instant::now()), sink);
    }

    /// Whether every media packet is decrypted once the session stands, or only counted.
    pub fn samples_every_packet(&mut self, every: bool) {
        self.decrypts = every;
    }

    /// Payload type of RFC 2198, when the answer agreed to it.
    pub fn red(&self) -> Option<u8> {
        self.red
    }

    /// Where its media comes from.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// When the session wants to be pumped even if nothing comes.
    pub fn wake(&self) -> Instant {
        self.wake
    }
}

/// A packet of the microphone.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Running number.
    pub sequence: u64,
    /// 48 kHz timestamp.
    pub timestamp: u32,
    /// First of a talk.
    pub marker: bool,
    /// Level, -dBov.
    pub level: u8,
    /// The Opus packet.
    pub payload: &'a [u8],
}
