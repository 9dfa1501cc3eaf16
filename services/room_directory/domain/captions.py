"""Who may write captions in a room, and in which languages."""

from dataclasses import replace
from datetime import datetime

from services.room_directory.domain.channels import CHANNEL
from services.room_directory.domain.errors import (
    CaptionerMuted,
    NotCaptioner,
    TooManyCaptioners,
    TooManyLanguages,
)
from services.room_directory.domain.events import CaptionersChanged
from services.room_directory.domain.languages import check_language
from services.room_directory.domain.people import Actor
from services.room_directory.domain.roles import Action
from services.room_directory.domain.room import Room
from services.room_directory.domain.seats import Captioner

MOST_CAPTIONERS = 32
# Of one person: booths have no more languages than a room has booths, and the floor.
_MOST_LANGUAGES = 17


def require_language(language: str) -> None:
    """Raises LanguageInvalid for what captions cannot be of."""
    if language != CHANNEL:
        check_language(language)


def grant(room: Room, actor: Actor, user_id: str, language: str, now: datetime) -> None:
    """Lets a person write captions of a language.

    Raises NotAllowed, LanguageInvalid, TooManyCaptioners, TooManyLanguages.
    """
    room.require(actor, Action.GRANT_CAPTIONING)
    require_language(language)
    captioner = room.captioners.get(user_id) or Captioner(user_id=user_id, since=now)
    if language in captioner.languages:
        return
    if user_id not in room.captioners and len(room.captioners) >= MOST_CAPTIONERS:
        raise TooManyCaptioners(metadata={"limit": str(MOST_CAPTIONERS)})
    if len(captioner.languages) >= _MOST_LANGUAGES:
        raise TooManyLanguages(metadata={"limit": str(_MOST_LANGUAGES)})
    _keep(room, replace(captioner, languages=tuple(sorted((*captioner.languages, language)))), now)


def revoke(room: Room, actor: Actor, user_id: str, language: str, now: datetime) -> None:
    """Takes that back; one's own without leave. Raises NotAllowed."""
    if user_id == actor.user_id:
        room.require_live()
    else:
        room.require(actor, Action.GRANT_CAPTIONING)
    captioner = room.captioners.get(user_id)
    if captioner is None or language not in captioner.languages:
        return
    left = tuple(each for each in captioner.languages if each != language)
    if left:
        _keep(room, replace(captioner, languages=left), now)
    else:
        forget(room, user_id, now)


def mute(room: Room, actor: Actor, user_id: str, *, muted: bool, now: datetime) -> None:
    """Keeps a captioner from writing, or lets them again. Raises NotAllowed, NotCaptioner."""
    room.require(actor, Action.MUTE_CAPTIONER)
    captioner = room.captioners.get(user_id)
    if captioner is None:
        raise NotCaptioner
    if captioner.muted is not muted:
        _keep(room, replace(captioner, muted=muted), now)


def forget(room: Room, user_id: str, now: datetime) -> None:
    """Nobody lets this person write any more; nothing for who could not."""
    if room.captioners.pop(user_id, None) is not None:
        tell_captioners(room, now)


def require_writer(room: Room, user_id: str, language: str) -> None:
    """Raises RoomEnded, NotInRoom, NotCaptioner or CaptionerMuted for who may not write captions of a language now."""
    room.seat_of(user_id)
    captioner = room.captioners.get(user_id)
    if captioner is None or language not in captioner.languages:
        raise NotCaptioner(metadata={"language": language})
    if captioner.muted:
        raise CaptionerMuted


def require_editor(room: Room, actor: Actor, writer_id: str, language: str) -> None:
    """Raises what keeps the caller from changing a caption that this person wrote."""
    if actor.user_id == writer_id and not room.is_moderator(actor.user_id):
        require_writer(room, writer_id, language)
    else:
        room.require(actor, Action.EDIT_CAPTIONS)


def require_hider(room: Room, actor: Actor, writer_id: str) -> None:
    """Raises NotAllowed for who may not hide a caption that this person wrote: one's own, muted or not, anybody may."""
    if actor.user_id == writer_id:
        room.seat_of(writer_id)
    else:
        room.require(actor, Action.EDIT_CAPTIONS)


def tell_captioners(room: Room, now: datetime) -> None:
    """Notes who may write now."""
    room.tell(CaptionersChanged, now, captioners=tuple(room.captioners.values()))


def _keep(room: Room, captioner: Captioner, now: datetime) -> None:
    room.captioners[captioner.user_id] = captioner
    tell_captioners(room, now)
