//! DTLS for thousands of listeners in one process.
//!
//! The library's own provider tests its cryptography anew for each session and makes a certificate for each, which
//! costs more than the handshake itself. Here both happen once.

use dimpl::{Config, Dtls, DtlsCertificate};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion,
};
use str0m::crypto::{CryptoError, CryptoProvider, from_feature_flags};

/// Makes these the handshakes of all sessions.
pub fn install() {
    CryptoProvider { dtls_provider: &Shared, ..from_feature_flags() }.install_process_default();
}

#[derive(Debug)]
struct Shared;

impl DtlsProvider for Shared {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        static CERTIFICATE: OnceLock<Option<DtlsCertificate>> = OnceLock::new();
        CERTIFICATE.get_or_init(|| dimpl::certificate::generate_self_signed_certificate().ok()).clone()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        _mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        static CONFIG: OnceLock<Result<Arc<Config>, String>> = OnceLock::new();
        let made = CONFIG.get_or_init(|| {
            // The relay has checked the address by ICE: no cookie is needed.
            let built = Config::builder().use_server_cookie(false).build();
            built.map(Arc::new).map_err(|error| error.to_string())
        });
        let config = made.clone().map_err(CryptoError::Other)?;
        Ok(Box::new(Session(Dtls::new_12(config, certificate.clone(), now))))
    }
}

struct Session(Dtls);

impl Debug for Session {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Session")
    }
}

impl DtlsInstance for Session {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
