"""A fleet, its directory and its doors as a model of discrete events: the product's own rules, without a socket.

What decides is imported: placement, the line, the doors and the tariff. What the model adds is the world they decide
in: reports that come late or never, relays that fall silent or die, people who come, stay, leave and come back.
"""

import random
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from statistics import fmean

from services.invite.domain.doors import Doors, Pace
from services.invite.domain.headroom import Fleet, RelayReport
from services.invite.domain.line import Entered, free_now
from services.programme.work import KEPT_BACK, Limits, Machine, Work
from services.room_directory.domain.choosing import (
    Newcomer,
    choose_audience_relay,
    choose_home_relay,
    choose_new_home,
)
from services.room_directory.domain.placement import RelayLoadState
from services.room_directory.domain.waiting import OFFER_SECONDS, Line, Waiter, lot_of
from tests.load.fleet_parts import TARIFF, Outcome, Relay, Scenario

FLOOR = "floor"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_OFFERS = 200
_STARTED_SECONDS = 30.0
"""A relay that began later can carry little yet."""
_LOADED = 0.25
_FULL_WITHIN = 0.98
"""A relay with less than so much of what newcomers may take has room beyond doubt."""


class World:
    """Runs a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.plan, self.random, self.now = scenario, random.Random(scenario.seed), 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        limits = Machine(cores=2, sender_threads=1, programme_threads=1).limits(TARIFF.costs, scenario.budget)
        self.relays = {
            f"relay-{number}": self._relay(f"relay-{number}", 0, limits) for number in range(scenario.relays)
        }
        self.known = {relay_id: relay.state for relay_id, relay in self.relays.items()}
        self.home: dict[int, str] = {}
        self.serving: dict[int, set[str]] = {}
        self.lines: dict[int, Line] = {}
        self.since: dict[str, tuple[float, bool]] = {}
        """When a person first wanted in, and whether they come back."""
        self.doors, self.fleet, self.at_door = Doors(), Fleet(), deque[tuple[str, int]]()
        self.let_in: deque[float] = deque()
        self.short, self.left_to_come, self.permits = False, scenario.arrivals, 0
        self.last_asked: dict[int, int] = {}
        self.seen = Outcome()

    @staticmethod
    def _relay(relay_id: str, boot: int, limits: Limits) -> Relay:
        state = RelayLoadState(relay_id, f"boot-{boot}", "", limits=limits, tariff=TARIFF)
        return Relay(state, limits, boot)

    def at(self, seconds: float, what: Callable[..., None], *args: object) -> None:
        """Lets something happen so much later."""
        self._count += 1
        heappush(self._events, (self.now + seconds, self._count, what, args))

    def run(self) -> Outcome:
        """Until everybody who came is in, or the time is over."""
        plan = self.plan
        for relay_id in self.relays:
            self.at(self.random.random(), self._report, relay_id)
        for _ in range(plan.silences):
            self.at(self.random.uniform(5, plan.arriving_seconds), self._fall_silent)
        for _ in range(plan.deaths):
            self.at(self.random.uniform(30, plan.arriving_seconds), self._die)
        self.at(2.0, self._arrive, 0)
        self.at(2.0, self._round)
        self.at(2.0, self._open_doors)
        self.at(10.0, self._sample)
        while self._events and self.now < plan.most_seconds and (self.left_to_come or self.since):
            self.now, _, what, args = heappop(self._events)
            what(*args)
        self.seen.ended_at, self.seen.still_waiting = self.now, len(self.since)
        return self.seen

    # Relays.

    def _report(self, relay_id: str) -> None:
        self.at(1.0, self._report, relay_id)
        relay = self.relays[relay_id]
        if relay.alive and self.now >= relay.silent_until and self.random.random() >= self.plan.lost_reports:
            said = (
                relay.boot,
                relay.work,
                relay.serial,
                frozenset((str(r), FLOOR) for r in {*relay.rooms, *relay.homes}),
            )
            self.at(self.random.uniform(0.01, 0.3), self._hear, relay_id, said, len(relay.people))

    def _hear(self, relay_id: str, said: tuple[int, Work, int, frozenset[tuple[str, str]]], people: int) -> None:
        boot, work, serial, carried = said
        state = self.known[relay_id]
        if state.boot_id != f"boot-{boot}":
            return
        state.work, state.carried, state.newest_session, state.seen_at = work, carried, serial, self.now
        state.reserved.counted(serial)
        self.fleet.hear(
            RelayReport(
                relay_id=relay_id,
                boot_id=state.boot_id,
                limits=state.limits,
                work=work,
                listener=TARIFF.listener(),
                sessions=people,
                opened=serial,
            ),
            self.now,
        )

    def _fall_silent(self) -> None:
        relay = self.random.choice(list(self.relays.values()))
        relay.silent_until = self.now + self.random.uniform(3, 15)

    def _die(self) -> None:
        living = [each for each, relay in self.relays.items() if relay.alive]
        if len(living) < 2:
            return
        relay_id = self.random.choice(living)
        relay = self.relays[relay_id]
        relay.alive = False
        self.seen.lost_people += len(relay.people)
        for person, room in relay.people.items():
            self.at(self.random.uniform(1, 4), self._come_back, person, room)
        for room in set(relay.rooms) | relay.homes:
            self.serving[room].discard(relay_id)
        self.at(3.0, self._move_homes, sorted(relay.homes))
        self.at(self.random.uniform(20, 90), self._start_again, relay_id)

    def _start_again(self, relay_id: str) -> None:
        old = self.relays[relay_id]
        self.relays[relay_id] = self._relay(relay_id, old.boot + 1, old.limits)
        self.relays[relay_id].since = self.now
        self.known[relay_id] = self.relays[relay_id].state

    def _move_homes(self, rooms: list[int]) -> None:
        for room in rooms:
            chosen = choose_home_relay(self.known.values(), 1.0, self.now)
            if chosen is None or not self.relays[chosen.relay_id].alive:
                self.at(1.0, self._move_homes, [room])
            else:
                self._settle(room, chosen)

    def _settle(self, room: int, chosen: RelayLoadState) -> None:
        self.home[room] = chosen.relay_id
        self.serving.setdefault(room, set()).add(chosen.relay_id)
        chosen.reserve((str(room), "stage"), chosen.speaker((str(room), FLOOR), 0), self.now, seconds=2.0)
        self.relays[chosen.relay_id].give_home(room)

    # People.

    def _arrive(self, number: int) -> None:
        plan = self.plan
        self.left_to_come -= 1
        # One hall that a third wants to hear; the others are the smaller the higher their number.
        room = 0 if self.random.random() < 1 / 3 else int(plan.rooms * self.random.random() ** 2)
        person = f"p{number}"
        self.since[person] = (self.now, False)
        if self.random.random() < plan.new_share:
            self.at_door.append((person, room))
        else:
            self._knock(person, room)
        if self.left_to_come:
            self.at(self.random.expovariate(plan.arrivals / plan.arriving_seconds), self._arrive, number + 1)

    def _come_back(self, person: str, room: int) -> None:
        self.since.setdefault(person, (self.now, True))
        self._knock(person, room)

    def _knock(self, person: str, room: int) -> None:
        if person not in self.since:
            return
        returning = self.since[person][1]
        line = self.lines.setdefault(room, Line(f"line-{room}"))
        if returning or not (self.short or line.keeps_out(None, self.now)):
            if self._place(person, room, returning=returning):
                return
            self._note_refusal()
        self.seen.told_to_wait += 1
        if line.of(person) is None:
            lot = lot_of(str(room), person)
            line.arrive(person, int(self.now * 1000), lot, first=returning, now=self.now)
            self.at(40.0, self._show, person, room)

    def _show(self, person: str, room: int) -> None:
        """A sign of life of somebody who waits."""
        if self.lines[room].knock(person, None, self.now) is not None:
            self.at(40.0, self._show, person, room)

    def _place(self, person: str, room: int, *, returning: bool, offered: bool = False) -> bool:
        if room not in self.home:
            home = choose_new_home(self.known.values(), 1.0, self.now)
            if home is None or not self.relays[home.relay_id].alive:
                return False
            self._settle(room, home)
        who = Newcomer(
            seat=(str(room), person),
            channel=FLOOR,
            home_relay_id=self.home[room],
            in_room=self.serving[room],
            returning=returning,
        )
        chosen = choose_audience_relay(self.known.values(), who, 1.0, self.now, chance=self.random.randrange)
        if chosen is None:
            return False
        self.permits += 1
        permit = str(self.permits)
        chosen.reserve(who.seat, who.wants(chosen), self.now, permit, seconds=OFFER_SECONDS if offered else 10.0)
        wait = self.random.uniform(0.5, 6.0) if offered else self.random.uniform(0.05, 0.5)
        self.at(wait, self._connect, person, room, chosen.relay_id, permit, chosen.boot_id)
        return True

    def _connect(self, person: str, room: int, relay_id: str, permit: str, boot_id: str) -> None:
        relay = self.relays[relay_id]
        if person not in self.since:
            return
        if not relay.alive or relay.state.boot_id != boot_id:
            self._again(person, room, relay_id, permit)
            return
        if not relay.limits.allow(relay.work + TARIFF.listener(), 1.0):
            self.seen.refused_by_relay += 1
            self._again(person, room, relay_id, permit)
            return
        relay.people[person] = room
        relay.change(room, 1)
        relay.serial += 1
        self.serving[room].add(relay_id)
        self.at(0.1, self._opened, relay_id, (str(room), person), permit, relay.serial)
        self.at(self.random.expovariate(1 / self.plan.stay_seconds), self._leave, person, relay)
        self._note_entry(person, room)

    def _again(self, person: str, room: int, relay_id: str, permit: str) -> None:
        """A permit came to nothing: whoever had it asks anew, as somebody who was let in already."""
        self.known[relay_id].reserved.give_back((str(room), person), permit)
        line = self.lines[room]
        if line.is_offered(person):
            line.take_back(person)
        else:
            self.at(self.random.uniform(0.5, 2.0), self._knock, person, room)

    def _opened(self, relay_id: str, seat: tuple[str, str], permit: str, serial: int) -> None:
        self.known[relay_id].opened(seat, permit, serial)

    def _leave(self, person: str, relay: Relay) -> None:
        room = relay.people.pop(person, None)
        if room is not None and relay.alive:
            relay.change(room, -1)
            if room not in relay.rooms and room not in relay.homes:
                self.serving[room].discard(relay.state.relay_id)

    # Lines and doors.

    def _round(self) -> None:
        self.at(0.5, self._round)
        queues: deque[tuple[int, Line, deque[str]]] = deque()
        for room, line in self.lines.items():
            line.lapse(self.now)
            for person in line.forget_silent(self.now):
                self.since.pop(person, None)
                self.seen.gave_up += 1
            if len(line):
                queues.append((room, line, deque(each.user_id for each in line.next_ones(_MOST_OFFERS, self.now))))
        queues.rotate(-self.random.randrange(len(queues)) if queues else 0)
        made, self.short = 0, False
        while queues and made < _MOST_OFFERS * 2:
            room, line, people = queues.popleft()
            waiter = line.of(people.popleft()) if people else None
            if waiter is None:
                continue
            if not self._place(waiter.user_id, room, returning=waiter.first, offered=True):
                self._note_refusal()
                self.short = True
                break
            self._note_offer(room, waiter)
            line.offer(waiter, self.now)
            made += 1
            queues.append((room, line, people))

    def _open_doors(self) -> None:
        self.at(1.0, self._open_doors)
        pace = self.doors.pace(self.fleet.headroom(self.now), None, _EPOCH)
        headroom = self.fleet.headroom(self.now)
        let_in = min(free_now(pace, self._entered(pace)), len(self.at_door))
        self.seen.above_headroom += max(0, let_in - (headroom.free if headroom is not None else 0))
        for _ in range(let_in):
            self.let_in.append(self.now)
            self._knock(*self.at_door.popleft())

    def _entered(self, pace: Pace) -> Entered:
        while self.let_in and self.let_in[0] < self.now - 7200:
            self.let_in.popleft()
        within = lately = 0
        for at in reversed(self.let_in):
            if at <= self.now - pace.seconds:
                break
            within += 1
            lately += at > self.now - pace.slice_seconds
        return Entered(within, lately)

    # Notes.

    def _note_entry(self, person: str, room: int) -> None:
        since, returned = self.since.pop(person)
        waited = self.now - since
        if returned:
            self.seen.came_back += 1
            self.seen.longest_return = max(self.seen.longest_return, waited)
        else:
            self.seen.entered += 1
            self.seen.longest_wait = max(self.seen.longest_wait, waited)
        line = self.lines[room]
        if person in line:
            self.seen.from_line += 1
        line.came_in(person, self.now)

    def _note_offer(self, room: int, waiter: Waiter) -> None:
        """Whoever is asked after somebody who came later was passed over."""
        if waiter.first or waiter.lapses:
            return
        self.seen.inversions += waiter.arrived_at < self.last_asked.get(room, 0)
        self.last_asked[room] = waiter.arrived_at

    def _note_refusal(self) -> None:
        given = (1 - KEPT_BACK) * _FULL_WITHIN
        wanted = TARIFF.listener() + TARIFF.channel(home=False)
        for relay_id, relay in self.relays.items():
            state = self.known[relay_id]
            committed = relay.work + state.reserved.total(self.now, state.carried) + wanted
            if relay.alive and state.is_fresh(self.now) and relay.limits.allow(committed, given):
                self.seen.refused_with_room += 1
                return

    def _sample(self) -> None:
        self.at(10.0, self._sample)
        up = [relay for relay in self.relays.values() if relay.alive and self.now - relay.since >= _STARTED_SECONDS]
        loads = [relay.limits.fullness(relay.work) for relay in up]
        mean, most = fmean(loads), max(loads)
        self.seen.overloaded += most > 1.0
        if mean >= _LOADED:
            self.seen.worst_ratio = max(self.seen.worst_ratio, most / mean)
        waiting = sum(len(line) for line in self.lines.values()) + len(self.at_door)
        self.seen.samples.append((self.now, mean, most, waiting, most / mean if mean else 1.0))
