"""Places of those who hear over HTTPS: one budget for people with seats and for anybody on the web."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from services.gateway.domain.errors import TooManyStreams, WebFull
from services.gateway.settings import Settings
from services.programme.https_work import LISTENER_BITS, Bound, Load, bits_of

COME_BACK_SECONDS = 10.0


class Places:
    """Counts everybody, before the first wait, so that a crowd cannot slip past the limits."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._people = Bound(settings.max_listeners)
        self._line = Bound(settings.max_listener_bits_per_second)
        self._members = Load(0)
        self._anybody = Load(0)
        self._of_user: Counter[str] = Counter()
        self._of_network: Counter[str] = Counter()
        self._anybody_of_network: Counter[str] = Counter()

    @property
    def limit(self) -> int:
        """Most who hear here at once."""
        return self._people.most

    @property
    def bits_limit(self) -> int:
        """Most that is sent to them all, in bits a second."""
        return self._line.most

    @property
    def load(self) -> Load:
        """What all of them cost."""
        members, anybody = self._members, self._anybody
        return Load(members.listeners + anybody.listeners, members.thrifty + anybody.thrifty)

    @property
    def anybody(self) -> int:
        """How many of them did not sign in."""
        return self._anybody.listeners

    @property
    def more(self) -> int:
        """How many more people with seats are let in."""
        members, anybody = self._members, self._anybody
        people = self._people.left(members.listeners, anybody.listeners)
        return min(people, self._line.left(members.bits_per_second, anybody.bits_per_second) // LISTENER_BITS)

    def is_full_for(self, user_id: str) -> bool:
        """Whether this person has as many streams as one may have."""
        return self._of_user[user_id] >= self._settings.max_listeners_per_user

    @contextmanager
    def member(self, user_id: str, network: str, *, thrift: bool) -> Iterator[None]:
        """Takes a place for a person, and gives it back where they are not let in. Raises TooManyStreams."""
        settings = self._settings
        full = (
            (self._of_network[network] >= settings.max_listeners_per_network, "many people of your network listen"),
            (self.is_full_for(user_id), "you listen over HTTPS elsewhere already"),
        )
        why = self._full(thrift=thrift) or next((why for is_full, why in full if is_full), "")
        if why:
            _tidy((self._of_network, network), (self._of_user, user_id))
            raise TooManyStreams(why, retry_after_seconds=COME_BACK_SECONDS)
        self._count_member(user_id, network, 1, thrift=thrift)
        try:
            yield
        except BaseException:
            self.free_member(user_id, network, thrift=thrift)
            raise

    def free_member(self, user_id: str, network: str, *, thrift: bool) -> None:
        """Gives a person's place back."""
        self._count_member(user_id, network, -1, thrift=thrift)

    def take_anybody(self, network: str, *, thrift: bool) -> None:
        """Takes a place for somebody who did not sign in. Raises WebFull."""
        settings = self._settings
        full = (
            (self.anybody >= settings.max_web_listeners, "many people hear rooms over the web here just now"),
            (
                self._anybody_of_network[network] >= settings.max_web_listeners_per_network,
                "many people of your network hear rooms over the web",
            ),
        )
        why = next((why for is_full, why in full if is_full), "") or self._full(thrift=thrift, is_anybody=True)
        if why:
            _tidy((self._anybody_of_network, network))
            raise WebFull(why, retry_after_seconds=COME_BACK_SECONDS)
        self._count_anybody(network, 1, thrift=thrift)

    def free_anybody(self, network: str, *, thrift: bool) -> None:
        """Gives the place of somebody back who did not sign in."""
        self._count_anybody(network, -1, thrift=thrift)

    def _full(self, *, thrift: bool, is_anybody: bool = False) -> str:
        """Why nobody more is let in; empty while somebody is."""
        members, anybody = self._members, self._anybody
        if not self._people.fits(members.listeners, anybody.listeners, 1, is_anybody=is_anybody):
            return "many people listen here just now" + (" and the rest is for members" if is_anybody else "")
        sent = members.bits_per_second, anybody.bits_per_second
        if not self._line.fits(*sent, bits_of(thrift=thrift), is_anybody=is_anybody):
            return "the line that sound goes out by is full" + (" but for members" if is_anybody else "")
        return ""

    def _count_member(self, user_id: str, network: str, step: int, *, thrift: bool) -> None:
        self._members = _stepped(self._members, step, thrift=thrift)
        self._of_user[user_id] += step
        self._of_network[network] += step
        _tidy((self._of_network, network), (self._of_user, user_id))

    def _count_anybody(self, network: str, step: int, *, thrift: bool) -> None:
        self._anybody = _stepped(self._anybody, step, thrift=thrift)
        self._anybody_of_network[network] += step
        _tidy((self._anybody_of_network, network))


def _stepped(load: Load, step: int, *, thrift: bool) -> Load:
    return Load(load.listeners + step, load.thrifty + (step if thrift else 0))


def _tidy(*counted: tuple[Counter[str], str]) -> None:
    for counts, key in counted:
        if counts[key] <= 0:
            del counts[key]
