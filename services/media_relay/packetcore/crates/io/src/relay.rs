//! One relay's media port as its owner uses it: every method may be called from any thread.

mod asking;
mod outside;
mod port;

pub use port::TcpConfig;

use crate::RelayError;
use crate::checks::{check_credentials, check_listener_format, check_stage_format};
use crate::counters::Counters;
use crate::messages::{EffortRule, Events, Exports, Mailbox, Pushes, ToPacket};
use crate::random::{random, stream_start};
use crate::registry::{Registry, thread_of};
use crate::sys;
use crate::threads::{self, Threads};
use majlis_core::endpoint::{Command, Event, SessionInfo, StageFormat};
use majlis_core::fanout::ListenerFormat;
use majlis_core::srtp::{OpenKey, Profile, SealKey};
use majlis_core::{ChannelId, MTU, Path, SessionId, StageId};
use majlis_mix::BIT_RATES;
use majlis_programme::{EncoderCosts, MixPlan, PacketLength, ProgrammeCommand, ProgrammeFrame};
use port::TcpSide;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a full mailbox is waited for, in steps.
const FULL_STEP: Duration = Duration::from_micros(200);
const FULL_STEPS: u32 = 5_000;
/// Most sender threads, and most programme threads.
const MAX_THREADS: usize = 16;

/// What a relay is opened with.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Addresses to bind; port 0 in the second and later ones means the first one's port.
    pub bind: Vec<(IpAddr, u16)>,
    /// Threads that the audience is spread over.
    pub sender_threads: usize,
    /// Threads that the channels are spread over.
    pub programme_threads: usize,
    /// DTLS handshakes that one source may begin in a second.
    pub handshakes_per_source_per_second: u32,
    /// The media port's TCP side; none: UDP only.
    pub tcp: Option<TcpConfig>,
}

/// The relay. Dropping it closes it.
pub struct Relay {
    addresses: Vec<SocketAddr>,
    registry: Mutex<Registry>,
    inbox: Arc<Mailbox<ToPacket>>,
    events: Arc<Events>,
    exports: Arc<Exports>,
    /// For each programme thread.
    pushes: Vec<Arc<Pushes>>,
    counters: Arc<Counters>,
    sockets: Arc<Vec<UdpSocket>>,
    tcp: TcpSide,
    config: RelayConfig,
    threads: Mutex<Threads>,
}

/// A listener's or stage session's numbers, put together from all threads.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SessionReport {
    /// From the packet thread; a session the core has closed reads as all zero.
    pub info: SessionInfo,
    /// RTP packets sent to it.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
}

impl Relay {
    /// Opens the sockets.
    pub fn open(config: RelayConfig) -> Result<Self, RelayError> {
        if config.bind.is_empty() || config.bind.len() > usize::from(Path::TCP) {
            return Err(RelayError::Argument("bind needs 1 to 128 addresses".to_owned()));
        }
        let threads = [("sender_threads", config.sender_threads), ("programme_threads", config.programme_threads)];
        if let Some((name, _)) = threads.iter().find(|(_, count)| !(1..=MAX_THREADS).contains(count)) {
            return Err(RelayError::Argument(format!("{name} must be 1 to {MAX_THREADS}")));
        }
        let pushes = (0..config.programme_threads).map(|_| Ok(Arc::new(Mailbox::new(1024)?)));
        let (sockets, tcp) = port::open(&config)?;
        let addresses = sockets.iter().map(UdpSocket::local_addr).collect::<Result<_, _>>()?;
        Ok(Self {
            addresses,
            registry: Mutex::new(Registry::new(config.programme_threads)),
            inbox: Arc::new(Mailbox::new(16_384)?),
            events: Arc::new(Mailbox::new(32_768)?),
            exports: Arc::new(Mailbox::new(1024)?),
            pushes: pushes.collect::<Result<_, RelayError>>()?,
            counters: Arc::default(),
            sockets: Arc::new(sockets),
            tcp,
            config,
            threads: Mutex::default(),
        })
    }

    /// The bound addresses.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where TCP connections are taken.
    pub fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.tcp.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Addresses of the media port whose TCP side could not be opened, and why: media goes on without.
    pub fn tcp_refused(&self) -> &[(SocketAddr, String)] {
        &self.tcp.refused
    }

    /// Starts the threads, once.
    pub fn start(&self) -> Result<(), RelayError> {
        let parts = threads::Parts {
            sockets: Arc::clone(&self.sockets),
            listeners: Arc::clone(&self.tcp.listeners),
            tcp: port::limits(&self.config),
            inbox: Arc::clone(&self.inbox),
            events: Arc::clone(&self.events),
            exports: Arc::clone(&self.exports),
            pushes: self.pushes.clone(),
            counters: Arc::clone(&self.counters),
            sender_threads: self.config.sender_threads,
            handshakes: self.config.handshakes_per_source_per_second,
        };
        lock(&self.threads).start(parts)
    }

    /// Stops the threads and waits for them. Idempotent.
    pub fn close(&self) {
        lock(&self.threads).stop(&self.inbox);
    }

    fn tell(&self, message: ToPacket) -> Result<(), RelayError> {
        let mut message = message;
        for _ in 0..FULL_STEPS {
            match self.inbox.send(message) {
                Ok(()) => return Ok(()),
                Err(back) => message = back,
            }
            if !lock(&self.threads).are_running() {
                return Err(RelayError::NotRunning);
            }
            std::thread::sleep(FULL_STEP);
        }
        Err(RelayError::NoAnswer)
    }

    fn core(&self, command: Command) -> Result<(), RelayError> {
        self.tell(ToPacket::Core(command))
    }

    /// Adds an ICE-lite session.
    pub fn add_session(&self, ufrag: &str, pwd: &str) -> Result<SessionId, RelayError> {
        check_credentials(ufrag, pwd)?;
        let session = lock(&self.registry).add_session();
        let (ufrag, pwd) = (ufrag.to_owned(), pwd.to_owned());
        self.core(Command::AddSession { session, ufrag, pwd })?;
        Ok(session)
    }

    /// New ICE credentials; the old pair stays until a new one is nominated.
    pub fn restart_ice(&self, session: u64, ufrag: &str, pwd: &str) -> Result<(), RelayError> {
        check_credentials(ufrag, pwd)?;
        let session = lock(&self.registry).session(session)?;
        let (ufrag, pwd) = (ufrag.to_owned(), pwd.to_owned());
        self.core(Command::RestartIce { session, ufrag, pwd })
    }

    /// SRTP keys, each followed by its salt; once.
    pub fn set_keys(&self, session: u64, profile: Profile, local: &[u8], remote: &[u8]) -> Result<(), RelayError> {
        let seal = Box::new(SealKey::new(profile, local)?);
        let open = Box::new(OpenKey::new(profile, remote)?);
        let session = lock(&self.registry).key_session(session)?;
        self.core(Command::SetKeys { session, seal, open })
    }

    /// Sends a DTLS datagram.
    pub fn send_dtls(&self, session: u64, datagram: &[u8]) -> Result<(), RelayError> {
        let session = lock(&self.registry).session(session)?;
        if datagram.is_empty() || datagram.len() > MTU {
            return Err(RelayError::Argument(format!("a datagram has 1 to {MTU} bytes, not {}", datagram.len())));
        }
        self.core(Command::SendDtls(session, datagram.to_vec()))
    }

    /// Ends a session; an unknown one is ignored.
    pub fn remove_session(&self, session: u64) -> Result<(), RelayError> {
        if lock(&self.registry).remove_session(session) {
            self.core(Command::Remove(SessionId(session)))?;
        }
        Ok(())
    }

    /// Adds a stage.
    pub fn add_stage(&self) -> Result<StageId, RelayError> {
        let stage = lock(&self.registry).add_stage();
        self.core(Command::AddStage(stage))?;
        Ok(stage)
    }

    /// Removes a stage.
    pub fn remove_stage(&self, stage: u64) -> Result<(), RelayError> {
        let stage = lock(&self.registry).remove_stage(stage)?;
        self.core(Command::RemoveStage(stage))
    }

    /// Makes a session a stage session, once.
    pub fn join_stage(&self, session: u64, stage: u64, format: StageFormat) -> Result<(), RelayError> {
        check_stage_format(&format)?;
        let mut registry = lock(&self.registry);
        let stage = registry.stage(stage)?;
        let session = registry.assign(session, STAGE)?;
        drop(registry);
        self.core(Command::Join { session, stage, format })
    }

    /// Mutes or unmutes a microphone.
    pub fn set_muted(&self, session: u64, muted: bool) -> Result<(), RelayError> {
        let session = lock(&self.registry).session_with(session, STAGE)?;
        self.core(Command::SetMuted(session, muted))
    }

    /// What a stage session hears beside its partners, whether it leads its booth, and members for whom it needs no
    /// interpreter.
    pub fn set_hearing(&self, session: u64, hears: u32, leads: bool, clear: BTreeSet<u32>) -> Result<(), RelayError> {
        let session = lock(&self.registry).session_with(session, STAGE)?;
        self.core(Command::SetHearing { session, hears, leads, clear })
    }

    /// Adds a channel: of a stage here, or remote.
    pub fn add_channel(&self, stage: Option<u64>) -> Result<ChannelId, RelayError> {
        let seed = random()?;
        let mut registry = lock(&self.registry);
        let stage = stage.map(|stage| registry.stage(stage)).transpose()?;
        let channel = registry.add_channel(stage);
        drop(registry);
        self.tell(ToPacket::Programme(ProgrammeCommand::Add(channel, stage, seed)))?;
        Ok(channel)
    }

    /// Adds a channel in few bits and long packets, which is otherwise like any other.
    pub fn add_thrift_channel(&self, stage: Option<u64>) -> Result<ChannelId, RelayError> {
        let channel = self.add_channel(stage)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Thrift(channel)))?;
        Ok(channel)
    }

    /// Removes a channel.
    pub fn remove_channel(&self, channel: u64) -> Result<(), RelayError> {
        let channel = lock(&self.registry).remove_channel(channel)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Remove(channel)))?;
        self.core(Command::RemoveChannel(channel))
    }

    /// Whom a home channel mixes, and nobody else; a new one mixes nobody.
    pub fn set_mix(&self, channel: u64, plan: MixPlan) -> Result<(), RelayError> {
        let channel = lock(&self.registry).channel_of(channel, false)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Mix(channel, plan)))
    }

    /// Whether a home channel's frames are wanted outside.
    pub fn set_export(&self, channel: u64, wanted: bool) -> Result<(), RelayError> {
        let channel = lock(&self.registry).channel_of(channel, false)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Export(channel, wanted)))
    }

    /// Feeds a remote channel with a frame in wire form.
    pub fn push_programme(&self, channel: u64, frame: &[u8]) -> Result<(), RelayError> {
        let channel = lock(&self.registry).channel_of(channel, true)?;
        let frame = ProgrammeFrame::decode(frame)?;
        // A full mailbox means that the programme thread stands still; old frames would be refused anyway.
        let pushes = &self.pushes[thread_of(channel.0, self.pushes.len())];
        let _ = pushes.send((channel, frame, sys::monotonic_micros()));
        Ok(())
    }

    /// Length of listeners' packets.
    pub fn set_packet_ms(&self, channel: u64, packet_ms: u32) -> Result<(), RelayError> {
        let length = PacketLength::from_ms(packet_ms)
            .ok_or_else(|| RelayError::Argument(format!("packet_ms must be 20, 40 or 60, not {packet_ms}")))?;
        let channel = lock(&self.registry).channel(channel)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::PacketLength(channel, length)))
    }

    /// Whether listeners who asked for redundancy get it.
    pub fn set_redundancy(&self, channel: u64, wanted: bool) -> Result<(), RelayError> {
        let channel = lock(&self.registry).channel(channel)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Redundancy(channel, wanted)))
    }

    /// The encoder's target.
    pub fn set_bitrate(&self, channel: u64, bits_per_second: u32) -> Result<(), RelayError> {
        if !BIT_RATES.contains(&bits_per_second) {
            let (low, high) = (BIT_RATES.start(), BIT_RATES.end());
            return Err(RelayError::Argument(format!(
                "bits_per_second must be {low} to {high}, not {bits_per_second}"
            )));
        }
        let channel = lock(&self.registry).channel_of(channel, false)?;
        self.tell(ToPacket::Programme(ProgrammeCommand::Bitrate(channel, bits_per_second)))
    }

    /// Makes a session an audience session, once.
    pub fn attach_listener(&self, session: u64, channel: u64, format: ListenerFormat) -> Result<(), RelayError> {
        check_listener_format(&format)?;
        let start = stream_start()?;
        let mut registry = lock(&self.registry);
        let channel = registry.channel(channel)?;
        let session = registry.assign(session, AUDIENCE)?;
        drop(registry);
        self.core(Command::Attach { session, channel, format, start })
    }

    /// Moves listeners to another channel: all of them, or none where one of them is none.
    pub fn switch_channels(&self, sessions: &[u64], channel: u64) -> Result<(), RelayError> {
        let registry = lock(&self.registry);
        let channel = registry.channel(channel)?;
        let sessions = sessions.iter().map(|session| registry.session_with(*session, AUDIENCE));
        let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
        drop(registry);
        sessions.into_iter().try_for_each(|session| self.core(Command::Switch(session, channel)))
    }

    /// Pauses or resumes a listener.
    pub fn set_paused(&self, session: u64, paused: bool) -> Result<(), RelayError> {
        let session = lock(&self.registry).session_with(session, AUDIENCE)?;
        self.core(Command::Pause(session, paused))
    }

    /// How hard encoders may work, 0 to 10; each thread lowers that by itself while it has much to do.
    pub fn set_effort(&self, ceiling: u8) -> Result<(), RelayError> {
        if ceiling > 10 {
            return Err(RelayError::Argument(format!("an encoder's effort is 0 to 10, not {ceiling}")));
        }
        self.tell(ToPacket::Effort(EffortRule::Ceiling(ceiling)))
    }

    /// What encoding costs here, as [`crate::measure_work`] found.
    pub fn set_encoder_costs(&self, costs: EncoderCosts) -> Result<(), RelayError> {
        self.tell(ToPacket::Effort(EffortRule::Costs(costs)))
    }

    /// The numbers operators watch.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The descriptor that is readable while events wait.
    pub fn event_fd(&self) -> i32 {
        self.events.wake().raw()
    }

    /// Up to `limit` events, oldest first.
    pub fn poll_events(&self, limit: usize) -> Vec<Event> {
        drain(&self.events, limit)
    }

    /// The descriptor that is readable while exported frames wait.
    pub fn programme_fd(&self) -> i32 {
        self.exports.wake().raw()
    }

    /// Up to `limit` exported frames, oldest first.
    pub fn poll_programme(&self, limit: usize) -> Vec<(ChannelId, Vec<u8>)> {
        drain(&self.exports, limit)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.close();
    }
}

const STAGE: &str = "a stage session";
const AUDIENCE: &str = "an audience session";

/// A poisoned lock is taken all the same: what it guards is changed by single assignments.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drain<T>(mailbox: &Mailbox<T>, limit: usize) -> Vec<T> {
    mailbox.wake().clear();
    let taken = (0..limit).map_while(|_| mailbox.take()).collect();
    if !mailbox.is_empty() {
        mailbox.wake().signal();
    }
    taken
}
