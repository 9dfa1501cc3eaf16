"""Small makers of rooms and people for the tests of the rules."""

from datetime import UTC, datetime, timedelta

from services.room_directory.domain.entry import take_seat
from services.room_directory.domain.events import Fact, SeatAction
from services.room_directory.domain.interpreters import offer_booth
from services.room_directory.domain.people import Actor
from services.room_directory.domain.presence import SessionNews, review, set_session, set_stream, tick
from services.room_directory.domain.room import Room, create_room
from services.room_directory.domain.seats import HandMode, MediaKind, RoomState, Rules, SessionState, Visibility
from services.room_directory.domain.stage import accept_offer, offer_stage

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class Hall:
    """A room, its clock, its epochs, and what people do there."""

    def __init__(self, visibility: Visibility = Visibility.OPEN, rules: Rules | None = None) -> None:
        self.now = START
        self._epoch = 1
        self._member = 1
        self.room: Room = create_room(
            room_id="room000000000001",
            request_id="r",
            creator_id="lina",
            title="Stars",
            description="",
            language="en",
            visibility=visibility,
            hand_mode=HandMode.EVERYONE,
            room_key="thekey",
            home_relay_id="relay00000",
            member=1,
            epoch=1,
            rules=rules or Rules(),
            now=START,
        )

    def state(self) -> RoomState:
        """Where the room stands now."""
        return self.room.state

    def epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    def member(self) -> int:
        self._member += 1
        return self._member

    def join(self, name: str, key: str = "", *, blocked: bool = False) -> int:
        return take_seat(self.room, Actor(name), key, blocked=blocked, epoch=self.epoch(), now=self.now).epoch

    def listen(self, name: str) -> int:
        """Joins and is connected."""
        epoch = self.join(name)
        self.session(name, SessionState.UP)
        return epoch

    def speak(self, name: str, by: str = "lina") -> None:
        """Joins, is brought on stage and is connected there."""
        if name not in self.room.seats:
            self.listen(name)
        offer = offer_stage(self.room, Actor(by), name, f"offer-{name}", self.now)
        accept_offer(self.room, Actor(name), offer.offer_id, member=self.member(), epoch=self.epoch(), now=self.now)
        self.session(name, SessionState.UP)

    def interpret(self, name: str, language: str, by: str = "lina") -> None:
        """Joins, is offered a seat in a booth and is connected there."""
        if name not in self.room.seats:
            self.listen(name)
        offer = offer_booth(self.room, Actor(by), name, f"booth-{name}", self.now, language=language)
        accept_offer(self.room, Actor(name), offer.offer_id, member=self.member(), epoch=self.epoch(), now=self.now)
        self.session(name, SessionState.UP)

    def session(
        self,
        name: str,
        state: SessionState,
        session_id: str = "",
        *,
        by_client: bool = False,
        by_leaving_relay: bool = False,
    ) -> None:
        """A relay's news of the person's session, of the seat's present epoch."""
        seat = self.room.seats[name]
        news = SessionNews(
            session_id=session_id or f"session-{seat.epoch}",
            user_id=name,
            epoch=seat.epoch,
            kind=MediaKind.STAGE if name in self.room.stage else MediaKind.AUDIENCE,
            state=state,
            by_client=by_client,
            by_leaving_relay=by_leaving_relay,
            relay_id="relay00000",
        )
        set_session(self.room, news, self.now)
        review(self.room, self.now)

    def stream(self, name: str, is_open: bool, *, sound: bool = False) -> None:
        """The gateway's news of the person's streams."""
        set_stream(self.room, name, self.room.seats[name].epoch, is_open, self.now, sound=sound)
        review(self.room, self.now)

    def wait(self, seconds: float, step: float = 0.5) -> None:
        """Lets time pass as the service does, tick by tick."""
        end = self.now + timedelta(seconds=seconds)
        while self.now < end:
            self.now += timedelta(seconds=step)
            tick(self.room, self.epoch, self.now)

    def facts(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.room.facts if isinstance(fact, kind)]

    def orders(self, name: str) -> list[tuple[SeatAction, int]]:
        return [(order.action, order.epoch) for order in self.room.orders if order.user_id == name]

    def clear(self) -> None:
        self.room.facts.clear()
        self.room.orders.clear()
