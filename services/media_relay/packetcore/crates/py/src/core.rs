//! The class `Core`; each method is one call of `majlis_io::Relay`, without the GIL where it may wait.

use crate::values::{Input, ListenerFormat, SessionStats, Slot};
use crate::{CoreError, refused};
use majlis_core::SECOND;
use majlis_core::endpoint::{Event, SlotFormat, StageFormat};
use majlis_core::srtp::Profile;
use majlis_core::stage::Place;
use majlis_io::{Relay, RelayConfig, RelayError, TcpConfig};
use majlis_programme::{DEFAULT_COSTS, MixPlan};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// One relay's media port.
#[pyclass(frozen, module = "packetcore")]
pub struct Core {
    relay: Mutex<Option<Arc<Relay>>>,
}

impl Core {
    fn relay(&self) -> PyResult<Arc<Relay>> {
        let relay = self.relay.lock().unwrap_or_else(PoisonError::into_inner);
        relay.clone().ok_or_else(|| CoreError::new_err("the core is closed"))
    }

    /// Calls the relay without holding the GIL.
    fn call<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&Relay) -> Result<T, RelayError> + Send) -> PyResult<T> {
        let relay = self.relay()?;
        py.detach(move || work(&relay)).map_err(refused)
    }
}

#[pymethods]
impl Core {
    #[new]
    #[pyo3(signature = (*, bind, sender_threads = 1, programme_threads = 1, handshakes_per_source_per_second = 50, tcp_connections_per_source = None))]
    fn new(
        bind: Vec<(String, u16)>,
        sender_threads: usize,
        programme_threads: usize,
        handshakes_per_source_per_second: u32,
        tcp_connections_per_source: Option<usize>,
    ) -> PyResult<Self> {
        let parse = |(ip, port): (String, u16)| match ip.parse::<IpAddr>() {
            Ok(ip) => Ok((ip, port)),
            Err(_) => Err(CoreError::new_err(format!("{ip:?} is not an IP address"))),
        };
        let config = RelayConfig {
            bind: bind.into_iter().map(parse).collect::<PyResult<_>>()?,
            sender_threads,
            programme_threads,
            handshakes_per_source_per_second,
            tcp: tcp_connections_per_source.map(|per_source| TcpConfig { per_source, ..TcpConfig::default() }),
        };
        let relay = Relay::open(config).map_err(refused)?;
        Ok(Self { relay: Mutex::new(Some(Arc::new(relay))) })
    }

    #[getter]
    fn addresses(&self) -> PyResult<Vec<(String, u16)>> {
        let relay = self.relay()?;
        Ok(relay.addresses().iter().map(host_and_port).collect())
    }

    #[getter]
    fn tcp_addresses(&self) -> PyResult<Vec<(String, u16)>> {
        Ok(self.relay()?.tcp_addresses().iter().map(host_and_port).collect())
    }

    #[getter]
    fn tcp_refused(&self) -> PyResult<Vec<(String, u16, String)>> {
        let told = |(address, why): &(SocketAddr, String)| (address.ip().to_string(), address.port(), why.clone());
        Ok(self.relay()?.tcp_refused().iter().map(told).collect())
    }

    fn start(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, Relay::start)
    }

    fn close(&self, py: Python<'_>) {
        let relay = self.relay.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(move || {
            if let Some(relay) = relay {
                relay.close();
            }
        });
    }

    fn event_fd(&self) -> PyResult<i32> {
        Ok(self.relay()?.event_fd())
    }

    #[pyo3(signature = (limit = 512))]
    fn poll_events<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Bound<'py, PyList>> {
        let events = self.relay()?.poll_events(limit);
        let tuples = events.into_iter().map(|event| event_tuple(py, event)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, tuples)
    }

    fn add_session(&self, py: Python<'_>, ufrag: &str, pwd: &str) -> PyResult<u64> {
        self.call(py, |relay| relay.add_session(ufrag, pwd)).map(|session| session.0)
    }

    fn add_outside_session(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, Relay::add_outside_session).map(|session| session.0)
    }

    fn speak(&self, py: Python<'_>, session: u64, packets: Vec<(u32, Vec<u8>)>) -> PyResult<()> {
        self.call(py, |relay| relay.speak(session, packets))
    }

    fn restart_ice(&self, py: Python<'_>, session: u64, ufrag: &str, pwd: &str) -> PyResult<()> {
        self.call(py, |relay| relay.restart_ice(session, ufrag, pwd))
    }

    fn set_keys(
        &self,
        py: Python<'_>,
        session: u64,
        profile: &str,
        local_key_salt: &[u8],
        remote_key_salt: &[u8],
    ) -> PyResult<()> {
        let profile = match profile {
            "AEAD_AES_128_GCM" => Profile::AeadAes128Gcm,
            "AEAD_AES_256_GCM" => Profile::AeadAes256Gcm,
            "AES128_CM_HMAC_SHA1_80" => Profile::Aes128CmHmacSha1_80,
            other => return Err(CoreError::new_err(format!("{other:?} is not a known SRTP profile"))),
        };
        self.call(py, |relay| relay.set_keys(session, profile, local_key_salt, remote_key_salt))
    }

    fn send_dtls(&self, py: Python<'_>, session: u64, datagram: &[u8]) -> PyResult<()> {
        self.call(py, |relay| relay.send_dtls(session, datagram))
    }

    fn remove_session(&self, py: Python<'_>, session: u64) -> PyResult<()> {
        self.call(py, |relay| relay.remove_session(session))
    }

    fn add_stage(&self, py: Python<'_>) -> PyResult<u64> {
        self.call(py, Relay::add_stage).map(|stage| stage.0)
    }

    fn remove_stage(&self, py: Python<'_>, stage: u64) -> PyResult<()> {
        self.call(py, |relay| relay.remove_stage(stage))
    }

    #[pyo3(signature = (session, stage, *, member, payload_type, level_extension_id, slots, booth = 0, hears = 0, leads = false))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    fn join_stage(
        &self,
        py: Python<'_>,
        session: u64,
        stage: u64,
        member: u32,
        payload_type: u8,
        level_extension_id: Option<u8>,
        slots: Vec<Slot>,
        booth: u32,
        hears: u32,
        leads: bool,
    ) -> PyResult<()> {
        let slot = |slot: &Slot| {
            let start = majlis_io::stream_start()?;
            Ok(SlotFormat { ssrc: slot.ssrc, payload_type: slot.payload_type, start })
        };
        self.call(py, |relay| {
            let format = StageFormat {
                member,
                payload_type,
                level_extension_id,
                slots: slots.iter().map(slot).collect::<Result<_, RelayError>>()?,
                place: Place { booth, hears, leads },
            };
            relay.join_stage(session, stage, format)
        })
    }

    fn set_muted(&self, py: Python<'_>, session: u64, muted: bool) -> PyResult<()> {
        self.call(py, |relay| relay.set_muted(session, muted))
    }

    #[pyo3(signature = (session, hears, leads, clear = BTreeSet::new()))]
    fn set_hearing(&self, py: Python<'_>, session: u64, hears: u32, leads: bool, clear: BTreeSet<u32>) -> PyResult<()> {
        self.call(py, |relay| relay.set_hearing(session, hears, leads, clear))
    }

    #[pyo3(signature = (stage, *, thrift = false))]
    fn add_channel(&self, py: Python<'_>, stage: Option<u64>, thrift: bool) -> PyResult<u64> {
        let add = if thrift { Relay::add_thrift_channel } else { Relay::add_channel };
        self.call(py, |relay| add(relay, stage)).map(|channel| channel.0)
    }

    fn remove_channel(&self, py: Python<'_>, channel: u64) -> PyResult<()> {
        self.call(py, |relay| relay.remove_channel(channel))
    }

    #[pyo3(signature = (channel, voices, *, booth = 0, ready = BTreeSet::new(), under = BTreeSet::new(), clear = BTreeSet::new(), under_db = None, alone_after_seconds = None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python method")]
    fn set_mix(
        &self,
        py: Python<'_>,
        channel: u64,
        voices: BTreeSet<u32>,
        booth: u32,
        ready: BTreeSet<u32>,
        under: BTreeSet<u32>,
        clear: BTreeSet<u32>,
        under_db: Option<i32>,
        alone_after_seconds: Option<u32>,
    ) -> PyResult<()> {
        let alone_after = alone_after_seconds.map(|seconds| u64::from(seconds) * SECOND);
        let plan = MixPlan { booth, voices, ready, under, clear, under_db, alone_after };
        self.call(py, |relay| relay.set_mix(channel, plan))
    }

    fn set_export(&self, py: Python<'_>, channel: u64, wanted: bool) -> PyResult<()> {
        self.call(py, |relay| relay.set_export(channel, wanted))
    }

    fn programme_fd(&self) -> PyResult<i32> {
        Ok(self.relay()?.programme_fd())
    }

    #[pyo3(signature = (limit = 64))]
    fn poll_programme<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<Vec<(u64, Bound<'py, PyBytes>)>> {
        let frames = self.relay()?.poll_programme(limit);
        Ok(frames.into_iter().map(|(channel, frame)| (channel.0, PyBytes::new(py, &frame))).collect())
    }

    fn push_programme(&self, py: Python<'_>, channel: u64, frame: &[u8]) -> PyResult<()> {
        self.call(py, |relay| relay.push_programme(channel, frame))
    }

    fn set_packet_ms(&self, py: Python<'_>, channel: u64, packet_ms: u32) -> PyResult<()> {
        self.call(py, |relay| relay.set_packet_ms(channel, packet_ms))
    }

    fn set_redundancy(&self, py: Python<'_>, channel: u64, wanted: bool) -> PyResult<()> {
        self.call(py, |relay| relay.set_redundancy(channel, wanted))
    }

    fn set_bitrate(&self, py: Python<'_>, channel: u64, bits_per_second: u32) -> PyResult<()> {
        self.call(py, |relay| relay.set_bitrate(channel, bits_per_second))
    }

    /// How hard encoders may work.
    fn set_effort(&self, py: Python<'_>, ceiling: u8) -> PyResult<()> {
        self.call(py, |relay| relay.set_effort(ceiling))
    }

    /// Takes what `measure_work` told.
    fn set_encoder_costs(&self, py: Python<'_>, costs: BTreeMap<String, f64>) -> PyResult<()> {
        let told = |complexity: u8| costs.get(&format!("encode_{complexity}")).map(|cost| cost.round() as u32);
        let costs = DEFAULT_COSTS.map(|(complexity, usual)| (complexity, told(complexity).unwrap_or(usual)));
        self.call(py, |relay| relay.set_encoder_costs(costs))
    }

    fn attach_listener(&self, py: Python<'_>, session: u64, channel: u64, listener: &ListenerFormat) -> PyResult<()> {
        let format = listener.format;
        self.call(py, |relay| relay.attach_listener(session, channel, format))
    }

    fn switch_channels(&self, py: Python<'_>, sessions: Vec<u64>, channel: u64) -> PyResult<()> {
        self.call(py, |relay| relay.switch_channels(&sessions, channel))
    }

    fn set_paused(&self, py: Python<'_>, session: u64, paused: bool) -> PyResult<()> {
        self.call(py, |relay| relay.set_paused(session, paused))
    }

    fn session_stats(&self, py: Python<'_>, session: u64) -> PyResult<SessionStats> {
        self.call(py, |relay| relay.session_report(session)).map(SessionStats::from)
    }

    fn speaking(&self, py: Python<'_>, stage: u64) -> PyResult<Vec<u32>> {
        self.call(py, |relay| relay.speaking(stage))
    }

    fn inputs(&self, py: Python<'_>, stage: u64) -> PyResult<Vec<Input>> {
        let read = self.call(py, |relay| relay.inputs(stage))?;
        Ok(read.into_iter().map(Input::from).collect())
    }

    fn counters(&self) -> PyResult<BTreeMap<String, u64>> {
        Ok(self.relay()?.counters().snapshot())
    }

    fn playout_holds(&self) -> PyResult<Vec<(u64, u64)>> {
        Ok(self.relay()?.counters().holds.recent())
    }

    fn dump(&self, py: Python<'_>) -> PyResult<String> {
        self.call(py, Relay::dump)
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, Relay::flush)
    }
}

fn host_and_port(address: &SocketAddr) -> (String, u16) {
    (address.ip().to_string(), address.port())
}

fn event_tuple(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyTuple>> {
    match event {
        Event::Dtls(session, datagram) => ("dtls", session.0, PyBytes::new(py, &datagram)).into_pyobject(py),
        Event::Nominated(session, path) => {
            ("nominated", session.0, path.remote.ip().to_string(), path.remote.port(), path.is_tcp()).into_pyobject(py)
        }
        Event::Media(session) => ("media", session.0).into_pyobject(py),
        Event::Idle(session) => ("idle", session.0).into_pyobject(py),
        Event::Active(session) => ("active", session.0).into_pyobject(py),
        Event::Expired(session) => ("expired", session.0).into_pyobject(py),
        Event::Failed(session, why) => ("failed", session.0, why).into_pyobject(py),
    }
}
