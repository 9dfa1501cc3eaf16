"""Client of a Majlis server: sign in, rooms, invitations, events and sound, typed and asynchronous."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from majlis_client.captioning import CaptionTold, CaptionWriter
from majlis_client.client import Client
from majlis_client.credentials import CredentialStore, FixedToken, PersonalToken, StoredSignIn, TokenSource
from majlis_client.discovery import Server, discover
from majlis_client.errors import MajlisError
from majlis_client.hands import Hands
from majlis_client.wish import Wish

__version__ = "0.2.0"

if TYPE_CHECKING:
    from majlis_client.interpreting import Interpreter, interpret
    from majlis_client.listening import Listener, Recording, listen
    from majlis_client.over_https import HttpsListener
    from majlis_client.speaking import Spoken, speak
    from majlis_client.webrtc import MediaSession

__all__ = [
    "CaptionTold",
    "CaptionWriter",
    "Client",
    "CredentialStore",
    "FixedToken",
    "Hands",
    "HttpsListener",
    "Interpreter",
    "Listener",
    "MajlisError",
    "MediaSession",
    "PersonalToken",
    "Recording",
    "Server",
    "Spoken",
    "StoredSignIn",
    "TokenSource",
    "Wish",
    "discover",
    "interpret",
    "listen",
    "speak",
]

# WebRTC takes a second to load: programs that only call RPCs do without it.
_WITH_SOUND = {
    "Interpreter": "interpreting",
    "interpret": "interpreting",
    "Listener": "listening",
    "Recording": "listening",
    "listen": "listening",
    "HttpsListener": "over_https",
    "Spoken": "speaking",
    "speak": "speaking",
    "MediaSession": "webrtc",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_SOUND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_SOUND[name]}"), name)
