"""Sessions come back on another path: ICE restarts, and everything else stays (RFC 9725 §4.3.2)."""

from dataclasses import dataclass

from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.permits import proof_of
from services.media_relay.domain.relay import Relay
from services.media_relay.sessions.ports import PacketCore, Randomness
from services.media_relay.sessions.sdp.answer import IceLocal
from services.media_relay.sessions.sdp.fragment import parse_fragment, write_restart


@dataclass(frozen=True, slots=True)
class Patched:
    """What the client of a changed session is told; both empty when candidates trickled."""

    fragment: str = ""
    etag: str = ""


class Resuming:
    """Takes the fragments that clients send."""

    def __init__(self, relay: Relay, core: PacketCore, randomness: Randomness, addresses: MediaAddresses) -> None:
        self._relay = relay
        self._core = core
        self._random = randomness
        self._addresses = addresses

    def patch_session(self, session_id: str, permit_text: str, if_match: str, fragment_text: str) -> Patched:
        """Takes candidates, which an ICE-lite end does not need, or restarts ICE as the fragment asks.

        Raises SessionNotFound, PermitInvalid, EtagMismatch, FragmentInvalid.
        """
        session = self._relay.authorised(session_id, proof_of(permit_text))
        fragment = parse_fragment(fragment_text)
        self._relay.check_etag(session, if_match)
        if not fragment.restarts(session.remote_ufrag):
            return Patched()
        ufrag, pwd = self._random.ice_credentials()
        self._core.restart_ice(session.handle, ufrag, pwd)
        session.remote_ufrag, session.etag = fragment.ufrag, self._random.etag()
        return Patched(write_restart(IceLocal(ufrag, pwd, self._addresses), fragment), session.etag)
