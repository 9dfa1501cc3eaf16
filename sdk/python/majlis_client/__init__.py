"""Client of a Majlis server: sign in, rooms, invitations, events and sound, typed and asynchronous."""

from majlis_client.client import Client
from majlis_client.credentials import CredentialStore, FixedToken, PersonalToken, StoredSignIn, TokenSource
from majlis_client.discovery import Server, discover
from majlis_client.errors import MajlisError
from majlis_client.listening import Listener, Recording, listen
from majlis_client.speaking import speak
from majlis_client.webrtc import MediaSession

__all__ = [
    "Client",
    "CredentialStore",
    "FixedToken",
    "Listener",
    "MajlisError",
    "MediaSession",
    "PersonalToken",
    "Recording",
    "Server",
    "StoredSignIn",
    "TokenSource",
    "discover",
    "listen",
    "speak",
]
