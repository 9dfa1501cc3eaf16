"""The captions of one language of one room: the last ten minutes, and nothing before."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.room_directory.domain.errors import CaptionFinal, CaptionUnknown

KEPT = timedelta(minutes=10)
UNFINISHED = timedelta(seconds=10)
"""An interim caption that nobody changed for so long is over."""
MOST_KEPT = 500
_SPOKEN_LATELY = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)

Name = tuple[str, str]
"""Writer, and the writer's own name for a caption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A sentence or so that somebody wrote, as it was changed last."""

    caption_id: str
    writer_id: str
    language: str
    text: str
    final: bool
    hidden: bool = False
    corrected: bool = False
    speaker_id: str = ""
    speaker_name: str = ""
    spoken_at: datetime
    began_at: datetime
    changed_at: datetime
    """Rises with every change, also where the clock goes back."""

    @property
    def name(self) -> Name:
        """What it is found by."""
        return self.writer_id, self.caption_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a writer sends."""

    caption_id: str
    text: str
    final: bool
    speaker_id: str = ""
    speaker_name: str = ""
    spoken_at: datetime | None = None


class CaptionRing:
    """Captions by name, those that began first first; one that is hidden stays as a mark until its time is over."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._kept: OrderedDict[Name, Caption] = OrderedDict()

    def __iter__(self) -> Iterator[Caption]:
        return iter(self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, name: Name) -> Caption | None:
        return self._kept.get(name)

    def write(self, writer_id: str, words: Words, now: datetime) -> tuple[Caption, bool]:
        """Takes in what somebody wrote; says whether it changed anything. Raises CaptionFinal."""
        before = self._kept.get((writer_id, words.caption_id))
        if before is not None and (before.final or before.hidden):
            if (before.text, before.final) == (words.text, words.final) or (before.hidden and not words.text):
                return before, False
            raise CaptionFinal
        caption = Caption(
            caption_id=words.caption_id,
            writer_id=writer_id,
            language=self.language,
            text=words.text,
            final=words.final,
            hidden=not words.text,
            speaker_id=words.speaker_id,
            speaker_name=words.speaker_name,
            spoken_at=_spoken(words.spoken_at, before, now),
            began_at=now if before is None else before.began_at,
            changed_at=now if before is None else _after(before, now),
        )
        if before is None and caption.hidden:
            # Taken back before anybody saw it.
            return caption, False
        # Also where nothing changed: a writer who says the same again has not gone.
        self._keep(caption)
        return caption, True

    def correct(self, name: Name, text: str, now: datetime) -> tuple[Caption, bool]:
        """Changes the words of a final caption. Raises CaptionUnknown."""
        caption = self._kept.get(name)
        if caption is None or caption.hidden or not caption.final:
            raise CaptionUnknown
        if caption.text == text:
            return caption, False
        changed = replace(caption, text=text, corrected=True, changed_at=_after(caption, now))
        self._keep(changed)
        return changed, True

    def hide(self, name: Name, now: datetime) -> Caption | None:
        """Takes a caption out; None when it is already. Raises CaptionUnknown."""
        caption = self._kept.get(name)
        if caption is None:
            raise CaptionUnknown
        return None if caption.hidden else self._hide(caption, now)

    def hide_unfinished(self, writer_id: str, now: datetime) -> list[Caption]:
        """Takes out what somebody had not finished."""
        open_ones = [each for each in self if each.writer_id == writer_id and not each.final and not each.hidden]
        return [self._hide(each, now) for each in open_ones]

    def merge(self, caption: Caption) -> bool:
        """Takes in what somebody else knows, unless what is known here was changed later; says whether it is news."""
        known = self._kept.get(caption.name)
        if known is not None and known.changed_at >= caption.changed_at:
            return False
        self._keep(caption)
        return True

    def expire(self, now: datetime) -> None:
        """Forgets what is over."""
        for name, caption in list(self._kept.items()):
            unfinished = not caption.final and not caption.hidden and now - caption.changed_at > UNFINISHED
            if unfinished or now - caption.began_at > KEPT:
                del self._kept[name]

    def _hide(self, caption: Caption, now: datetime) -> Caption:
        hidden = replace(caption, text="", hidden=True, changed_at=_after(caption, now))
        self._keep(hidden)
        return hidden

    def _keep(self, caption: Caption) -> None:
        is_late = (
            caption.name not in self._kept
            and self._kept
            and next(reversed(self._kept.values())).began_at > caption.began_at
        )
        self._kept[caption.name] = caption
        if is_late:
            self._kept = OrderedDict(sorted(self._kept.items(), key=lambda item: (item[1].began_at, item[0])))
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _after(before: Caption, now: datetime) -> datetime:
    return max(now, before.changed_at + _TICK)


def _spoken(said: datetime | None, before: Caption | None, now: datetime) -> datetime:
    """When the words were spoken: as their writer tells, unless that cannot be."""
    if said is not None and now - _SPOKEN_LATELY <= said <= now:
        return said
    return now if before is None else before.spoken_at
