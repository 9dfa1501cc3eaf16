"""What the use cases of media sessions need of others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.media_relay.domain.events import Event
from services.media_relay.domain.media import ListenerFormat, MicrophoneFormat, SlotFormat, SrtpKeys
from services.media_relay.programme.room_media import StageCore
from services.media_relay.sessions.sdp.offer import Fingerprint


class PacketCore(StageCore, Protocol):
    """The packet core, beyond stages and channels; handles are its small numbers."""

    def add_session(self, ufrag: str, pwd: str, /) -> int:
        """A session with these local ICE credentials."""
        ...

    def add_outside_session(self) -> int:
        """A session without a transport, whose microphone is what `speak` gives it."""
        ...

    def speak(self, session: int, packets: Sequence[tuple[int, bytes]], /) -> None:
        """Opus packets of such a microphone, in order, each with its timestamp at 48 kHz."""
        ...

    def restart_ice(self, session: int, ufrag: str, pwd: str, /) -> None:
        """New credentials; the old pair stays until one of the new is nominated."""
        ...

    def set_keys(self, session: int, keys: SrtpKeys, /) -> None:
        """SRTP keys; once."""
        ...

    def remove_session(self, session: int, /) -> None:
        """Nothing in or out any more; a session the core closed by itself is no error."""
        ...

    def join_stage(
        self, session: int, stage: int, member: int, microphone: MicrophoneFormat, slots: Sequence[SlotFormat], /
    ) -> None:
        """Makes it the microphone of `member`, with a slot for each voice it hears by itself."""
        ...

    def attach_listener(self, session: int, channel: int, listener: ListenerFormat, /) -> None:
        """Makes it a listener of the channel."""
        ...

    def set_muted(self, session: int, muted: bool, /) -> None:
        """Whether a microphone's packets are dropped."""
        ...

    def set_paused(self, session: int, paused: bool, /) -> None:
        """Whether nothing is sent to a listener."""
        ...

    async def settled(self) -> None:
        """Returns once all calls before have taken effect."""
        ...


class Outcome(Protocol):
    """Who is told how one session's handshake went."""

    def keyed(self, keys: SrtpKeys) -> None:
        """It is done; called once."""
        ...

    def failed(self) -> None:
        """There will be no keys."""
        ...

    def closed(self) -> None:
        """The client said goodbye within ten seconds of its start."""
        ...


class Handshakes(Protocol):
    """DTLS with the clients."""

    def expect(
        self, handle: int, fingerprints: Sequence[Fingerprint], outcome: Outcome, *, begins: bool
    ) -> Fingerprint:
        """Gets ready for a session's handshake, which we begin or the client; returns our own fingerprint."""
        ...

    def reachable(self, handle: int) -> None:
        """The client's address is known: a handshake that is ours to begin begins."""
        ...

    def forget(self, handle: int) -> None:
        """Drops what is kept of it."""
        ...


class Observer(Protocol):
    """Who looks on, and changes no session: the directory's reports, the metrics, the heartbeat, the doors."""

    def happened(self, event: Event, now: float) -> None:
        """`now` in monotonic seconds."""
        ...


class Randomness(Protocol):
    """Where unguessable values come from."""

    def session_id(self) -> str:
        """128 bits in lower-case base32."""
        ...

    def ice_credentials(self) -> tuple[str, str]:
        """A username fragment and a password (RFC 8839 §5.4)."""
        ...

    def ssrcs(self, count: int) -> list[int]:
        """Different 32-bit numbers."""
        ...

    def etag(self) -> str:
        """An entity tag with its quotes."""
        ...


VerifyPermit = Callable[[str], Awaitable[Mapping[str, Any]]]
"""The claims of a permit string. Raises PermitInvalid, or PartUnavailable while no key is known."""
