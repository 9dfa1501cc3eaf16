//! The ICE-lite side of one session (RFC 8445 §2.5): answers checks, decides where media goes, watches consent.
//!
//! Every valid check is answered and validates its address for *receiving*. Media moves only to the path of a check
//! with USE-CANDIDATE and a transaction id not seen before, so a recorded check sent again from elsewhere moves nothing.
//!
//! A session may last for days and its memory may not, so that the oldest ids are forgotten at last ([`REMEMBERED`]).
//! From then on a check that looks new may be an old one, recorded by somebody on the way, and a check alone moves media
//! no more. The new path must also be the one from which the client was last heard, by a packet that SRTP authenticates
//! and whose index no replay has; or the path until now must have been silent for [`SILENT_AFTER`], and then consent
//! lasts only if such a packet comes. Hence whoever plays old checks takes nothing from a client that is there, and gets
//! what is sent to one that has gone for less than [`CONSENT_LIFETIME`]. Who can send old checks from the client's own
//! address too may keep the consent of a client that has gone. An ICE restart begins a new memory: no doubt.

use crate::stun::{self, Message, TransactionId};
use crate::types::{Micros, Path, SECOND};
use ring::hmac;

/// Media moves to another path at most this often.
pub const MOVE_INTERVAL: Micros = SECOND;
/// Without a valid check or an authenticated packet for this long the session is idle. Checks alone would not do:
/// clients may leave six seconds between two (RFC 7675 §5.1).
pub const IDLE_AFTER: Micros = 5 * SECOND;
/// As [`IDLE_AFTER`], of who spoke until then: an open microphone sends many packets a second, so that nothing at all for
/// this long is no pause between two of them, and a partner who could be heard instead need not wait.
pub const SPEAKER_IDLE_AFTER: Micros = 2 * SECOND;
/// A microphone counts as open until the last sign of life if its last packet came this shortly before.
const SPOKE_WITHIN: Micros = SECOND;
/// Without a fresh check or an authenticated packet on the nominated path for this long, consent is gone (RFC 7675 §5.1).
/// Checks alone would not do: whoever only listens need not check for consent, and clients whose reports keep the path
/// open by themselves (RFC 8445 §11) send none at all.
pub const CONSENT_LIFETIME: Micros = 30 * SECOND;
/// Most addresses one session may have validated at a time.
pub const MAX_PATHS: usize = 8;
/// Transaction ids remembered per set of credentials at least, and twice as many at most, 4 bytes each: one and a half
/// to three hours of a browser's checks, so that most talks are over before there is any doubt.
pub const REMEMBERED: usize = 2048;
/// Without a sign of life for this long a path may be left on a check that could be an old one: longer than the six
/// seconds that a client may leave between two.
pub const SILENT_AFTER: Micros = 8 * SECOND;

/// The transactions made last, in two halves: when the newer one is full the older one is forgotten.
#[derive(Default)]
struct Transactions {
    newer: Vec<u32>,
    older: Vec<u32>,
    /// Some are forgotten.
    partial: bool,
}

impl Transactions {
    /// Remembers the transaction; false when it is known. Only authenticated ones come here, so that nobody can choose
    /// ids whose checksums meet.
    fn is_fresh(&mut self, transaction: &TransactionId) -> bool {
        let print = crc32fast::hash(transaction);
        let Err(at) = self.newer.binary_search(&print) else { return false };
        if self.older.binary_search(&print).is_ok() {
            return false;
        }
        if self.newer.len() < REMEMBERED {
            self.newer.insert(at, print);
            return true;
        }
        self.partial |= !self.older.is_empty();
        std::mem::swap(&mut self.newer, &mut self.older);
        self.newer.clear();
        self.newer.push(print);
        true
    }
}

/// One set of local credentials with the memory of transactions made under it.
struct Credentials {
    ufrag: String,
    key: hmac::Key,
    seen: Transactions,
}

impl Credentials {
    fn new(ufrag: &str, pwd: &str) -> Self {
        Self { ufrag: ufrag.to_owned(), key: stun::integrity_key(pwd), seen: Transactions::default() }
    }
}

/// Why a check was dropped without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not a request.
    NotARequest,
    /// The user fragment is not (or no longer) this session's.
    UnknownUfrag,
    /// MESSAGE-INTEGRITY is missing or wrong.
    Integrity,
}

/// What a valid check changed; the reply is in the buffer the caller gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// This path may now be received from.
    pub validated: Option<Path>,
    /// This path no longer may: it made room.
    pub evicted: Option<Path>,
    /// Media now goes here.
    pub nominated: Option<Path>,
    /// The credentials of before an ICE restart are gone.
    pub old_credentials_gone: bool,
    /// The session was idle and is not any more.
    pub woke: bool,
}

/// What time alone brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// No sign of life for [`IDLE_AFTER`], or [`SPEAKER_IDLE_AFTER`].
    Idle,
    /// Consent ran out.
    ConsentGone,
    /// A nomination that came too soon after another one takes effect now.
    Moved(Path),
}

/// A valid check as the agent judges it.
struct Check {
    path: Path,
    now: Micros,
    /// Its transaction is not known.
    fresh: bool,
    /// It may be one that was forgotten.
    doubtful: bool,
    /// USE-CANDIDATE.
    nominates: bool,
}

/// The lite agent of one session.
pub struct LiteAgent {
    current: Credentials,
    /// Credentials of before a restart, kept until a path of the new ones is nominated.
    old: Option<Credentials>,
    paths: Vec<(Path, Micros)>,
    nominated: Option<Path>,
    /// Nominated too soon after a move, or in doubt; waits, or the client's next check would be seconds away.
    pending: Option<Path>,
    /// The check that nominated what is pending may be an old one.
    doubtful: bool,
    /// Media went where it goes on a check that may be an old one, and no packet has come from there yet.
    unproven: bool,
    /// Where the last authenticated packet came from.
    heard: Option<(Path, Micros)>,
    /// The last fresh check or authenticated packet on the nominated path.
    path_alive_at: Micros,
    moved_at: Option<Micros>,
    alive_at: Micros,
    /// The last packet of an open microphone.
    spoke_at: Option<Micros>,
    consent_at: Micros,
    idle: bool,
    any_check: bool,
}

impl LiteAgent {
    /// An agent with its local credentials.
    pub fn new(ufrag: &str, pwd: &str, now: Micros) -> Self {
        Self {
            current: Credentials::new(ufrag, pwd),
            old: None,
            paths: Vec::new(),
            nominated: None,
            pending: None,
            doubtful: false,
            unproven: false,
            heard: None,
            path_alive_at: now,
            moved_at: None,
            alive_at: now,
            spoke_at: None,
            consent_at: now,
            idle: false,
            any_check: false,
        }
    }

    /// Local user fragments that are valid now, the newest first.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.current.ufrag.as_str()).chain(self.old.as_ref().map(|old| old.ufrag.as_str()))
    }

    /// Where media goes.
    pub fn nominated(&self) -> Option<Path> {
        self.nominated
    }

    /// Paths that may be received from, each with the time of its last check.
    pub fn paths(&self) -> &[(Path, Micros)] {
        &self.paths
    }

    /// Takes new credentials (ICE restart). Returns the fragment that stops being valid at once: of two restarts
    /// without a nomination between them only the first one's pair is kept.
    pub fn restart(&mut self, ufrag: &str, pwd: &str) -> Option<String> {
        let previous = std::mem::replace(&mut self.current, Credentials::new(ufrag, pwd));
        if self.old.is_none() && self.nominated.is_some() {
            self.old = Some(previous);
            return None;
        }
        Some(previous.ufrag)
    }

    /// Handles a check that arrived on `path`; on success `reply` holds the answer to send back there.
    pub fn handle_check(
        &mut self,
        message: &Message<'_>,
        path: Path,
        now: Micros,
        reply: &mut Vec<u8>,
    ) -> Result<Outcome, Refusal> {
        if !message.is_binding_request() {
            return Err(Refusal::NotARequest);
        }
        let ufrag = message.local_ufrag().ok_or(Refusal::UnknownUfrag)?;
        let is_old = self.is_old(ufrag)?;
        let credentials = match (&mut self.old, is_old) {
            (Some(old), true) => old,
            _ => &mut self.current,
        };
        if !message.integrity_is_valid(&credentials.key) {
            return Err(Refusal::Integrity);
        }
        if !message.unknown_required.is_empty() {
            stun::write_error(reply, &message.transaction, 420, &message.unknown_required, &credentials.key);
            return Ok(Outcome::default());
        }
        if message.controlled {
            // A lite agent is always the controlled side (RFC 8445 §6.1.1); 487 makes the peer switch.
            stun::write_error(reply, &message.transaction, 487, &[], &credentials.key);
            return Ok(Outcome::default());
        }
        stun::write_success(reply, &message.transaction, path.remote, &credentials.key);
        let fresh = credentials.seen.is_fresh(&message.transaction);
        let check = Check { path, now, fresh, doubtful: credentials.seen.partial, nominates: message.use_candidate };
        Ok(self.accept(&check, is_old))
    }

    fn is_old(&self, ufrag: &[u8]) -> Result<bool, Refusal> {
        if ufrag == self.current.ufrag.as_bytes() {
            return Ok(false);
        }
        match &self.old {
            Some(old) if ufrag == old.ufrag.as_bytes() => Ok(true),
            _ => Err(Refusal::UnknownUfrag),
        }
    }

    fn accept(&mut self, check: &Check, is_old: bool) -> Outcome {
        let Check { path, now, .. } = *check;
        let mut outcome = Outcome::default();
        self.any_check = true;
        self.validate(path, now, &mut outcome);
        if !check.fresh {
            return outcome;
        }
        outcome.woke = std::mem::take(&mut self.idle);
        self.alive_at = now;
        if check.nominates && !is_old {
            self.nominate(check, &mut outcome);
        } else if check.nominates && self.nominated != Some(path) && self.may_move(now) && self.is_believed(check) {
            self.move_to(path, now, &mut outcome);
        }
        if self.nominated == Some(path) {
            self.path_alive_at = now;
            if !self.unproven {
                self.consent_at = now;
            }
        }
        outcome
    }

    fn validate(&mut self, path: Path, now: Micros, outcome: &mut Outcome) {
        if let Some(known) = self.paths.iter_mut().find(|(known, _)| *known == path) {
            known.1 = now;
            return;
        }
        if self.paths.len() >= MAX_PATHS {
            let nominated = self.nominated;
            let oldest = (0..self.paths.len())
                .filter(|at| Some(self.paths[*at].0) != nominated)
                .min_by_key(|at| self.paths[*at].1);
            outcome.evicted = oldest.map(|at| self.paths.swap_remove(at).0);
        }
        self.paths.push((path, now));
        outcome.validated = Some(path);
    }

    fn nominate(&mut self, check: &Check, outcome: &mut Outcome) {
        let Check { path, now, .. } = *check;
        if self.nominated != Some(path) {
            // The first pair of new credentials is no flapping: they came through signalling.
            let at_once = self.old.is_some() || self.may_move(now);
            if !at_once || !self.is_believed(check) {
                self.pending = Some(path);
                self.doubtful = check.doubtful;
                return;
            }
            self.move_to(path, now, outcome);
        }
        self.pending = None;
        outcome.old_credentials_gone = self.old.take().is_some();
    }

    /// Whether a check may move media at once: it cannot be an old one, or the client speaks from there.
    fn is_believed(&self, check: &Check) -> bool {
        !check.doubtful || self.nominated.is_none() || self.speaks_from(check.path, check.now)
    }

    /// Whether the last authenticated packet came from `path`, and lately.
    fn speaks_from(&self, path: Path, now: Micros) -> bool {
        self.heard.is_some_and(|(from, at)| from == path && now.saturating_sub(at) < SILENT_AFTER)
    }

    fn may_move(&self, now: Micros) -> bool {
        self.moved_at.is_none_or(|at| now.saturating_sub(at) >= MOVE_INTERVAL)
    }

    fn move_to(&mut self, path: Path, now: Micros, outcome: &mut Outcome) {
        self.nominated = Some(path);
        self.moved_at = Some(now);
        self.path_alive_at = now;
        self.unproven = false;
        outcome.nominated = Some(path);
    }

    /// An authenticated packet whose index no replay has came on `path`: a sign of life, and consent where media goes there.
    /// Says whether the session was idle.
    pub fn heard(&mut self, path: Path, now: Micros) -> bool {
        self.alive_at = now;
        self.heard = Some((path, now));
        if self.nominated == Some(path) {
            self.path_alive_at = now;
            self.consent_at = now;
            self.unproven = false;
        }
        std::mem::take(&mut self.idle)
    }

    /// The packet heard last was one of an open microphone.
    pub fn spoke(&mut self, now: Micros) {
        self.spoke_at = Some(now);
    }

    /// How long nothing may come before nobody is there.
    fn patience(&self) -> Micros {
        let spoke = self.spoke_at.is_some_and(|at| self.alive_at.saturating_sub(at) <= SPOKE_WITHIN);
        if spoke { SPEAKER_IDLE_AFTER } else { IDLE_AFTER }
    }

    /// What is pending and may take effect now.
    fn ripe(&self, now: Micros) -> Option<Path> {
        let path = self.pending.filter(|_| self.may_move(now))?;
        let silent = now.saturating_sub(self.path_alive_at) >= SILENT_AFTER;
        (!self.doubtful || silent || self.speaks_from(path, now)).then_some(path)
    }

    /// What time has brought about since the last call.
    pub fn poll(&mut self, now: Micros) -> Option<Liveness> {
        if let Some(path) = self.ripe(now) {
            let unproven = self.doubtful && !self.speaks_from(path, now);
            self.pending = None;
            self.move_to(path, now, &mut Outcome::default());
            if !unproven {
                self.consent_at = now;
            }
            self.unproven = unproven;
            return Some(Liveness::Moved(path));
        }
        if self.nominated.is_some() && now.saturating_sub(self.consent_at) > CONSENT_LIFETIME {
            return Some(Liveness::ConsentGone);
        }
        if self.any_check && !self.idle && now.saturating_sub(self.alive_at) > self.patience() {
            self.idle = true;
            return Some(Liveness::Idle);
        }
        None
    }
}
