"""A fleet, copies of its directory and its doors as a model of discrete events: the product's own rules, no socket.

What decides is imported: placement, shares, the line, the doors, the ladder and the tariff. What the model adds is the
world they decide in: reports that come late or never, relays that fall silent, die or lack processor time, people who
come, stay, leave and come back.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from statistics import fmean

from services.invite.domain.doors import Doors, Pace
from services.invite.domain.headroom import Fleet, RelayReport
from services.invite.domain.line import Entered, free_now
from services.programme.work import KEPT_BACK, NOTHING, WAITING_STEP, Machine
from services.room_directory.domain.waiting import OFFER_SECONDS, Line, Waiter, lot_of
from tests.load.fleet_copy import Copy
from tests.load.fleet_parts import TARIFF, FleetTooSmall, Outcome, Relay, Said, Scenario

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_OFFERS = 200
_STARTED_SECONDS = 30.0
"""A relay that began later can carry little yet."""
_LOADED = 0.25
_FULL_WITHIN = 0.98
"""A relay with less than so much of what newcomers may take has room beyond doubt."""
_BEGIN = 2.0


class World:
    """Runs a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.plan, self.random, self.now = scenario, random.Random(scenario.seed), 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._count = 0
        self.limits = Machine(cores=2, sender_threads=1, programme_threads=1).limits(TARIFF.costs, scenario.budget)
        self.relays = {
            relay_id: Relay(relay_id, f"region-{number % scenario.regions}", self.limits)
            for number, relay_id in enumerate(f"relay-{number}" for number in range(scenario.relays))
        }
        self.copies = [Copy(self.random.randrange) for _ in range(scenario.copies)]
        self.since: dict[str, tuple[float, bool]] = {}
        """When a person first wanted in, and whether they come back."""
        self.seated: set[str] = set()
        """Who had a permit that came to nothing, and has a seat without sound."""
        self.doors, self.fleet, self.at_door = Doors(), Fleet(), deque[tuple[str, int]]()
        self.let_in: deque[float] = deque()
        self.left_to_come, self.permits = scenario.arrivals, 0
        self.last_asked: dict[int, int] = {}
        self.seen = Outcome()

    def at(self, seconds: float, what: Callable[..., None], *args: object) -> None:
        """Lets something happen so much later."""
        self._count += 1
        heappush(self._events, (self.now + seconds, self._count, what, args))

    def run(self) -> Outcome:
        """Until everybody who came is in, or the time is over."""
        plan = self.plan
        for relay_id in self.relays:
            self.at(self.random.random() / 2, self._report, relay_id)
        self.at(_BEGIN, self._open_rooms)
        for times, what in (
            (plan.silences, self._fall_silent),
            (plan.troubles, self._lack_time),
            (plan.deaths, self._die),
        ):
            for _ in range(times):
                self.at(self.random.uniform(30, plan.arriving_seconds), what)
        self.at(_BEGIN, self._arrive, 0)
        for copy in self.copies:
            self.at(_BEGIN + self.random.random() / 2, self._round, copy)
        self.at(_BEGIN, self._open_doors)
        self.at(10.0, self._sample)
        while self._events and self.now < plan.most_seconds and (self.left_to_come or self.since):
            self.now, _, what, args = heappop(self._events)
            what(*args)
        self.seen.ended_at, self.seen.still_waiting = self.now, len(self.since)
        return self.seen

    def _copy(self, room: int) -> Copy:
        """The one that owns a room."""
        return self.copies[room % len(self.copies)]

    def _region(self, person: str) -> str:
        return f"region-{int(person[1:]) % self.plan.regions}"

    # Relays.

    def _report(self, relay_id: str) -> None:
        self.at(1.0, self._report, relay_id)
        relay = self.relays[relay_id]
        if not relay.alive:
            return
        self.seen.steps += relay.climb(self.now)
        if self.now < relay.silent_until:
            return
        said = relay.said()
        for copy in self.copies:
            if self.random.random() >= self.plan.lost_reports:
                self.at(self.random.uniform(0.01, 0.3), self._hear, copy, relay, said)
        if self.random.random() >= self.plan.lost_reports:
            self.at(self.random.uniform(0.01, 0.3), self._hear_at_doors, relay, said)

    def _hear(self, copy: Copy, relay: Relay, said: Said) -> None:
        copy.hear(relay.relay_id, relay.region, relay.limits, said, self.now)

    def _hear_at_doors(self, relay: Relay, said: Said) -> None:
        report = RelayReport(
            relay_id=relay.relay_id,
            boot_id=f"boot-{said.boot}",
            grpc_address="",
            limits=relay.limits,
            work=said.work,
            listener=TARIFF.listener(),
            sessions=said.people,
            opened=said.serial,
            ladder_step=said.step,
        )
        self.fleet.hear(report, self.now)

    def _fall_silent(self) -> None:
        relay = self.random.choice(list(self.relays.values()))
        relay.silent_until = self.now + self.random.uniform(3, 15)

    def _lack_time(self) -> None:
        relay = self.random.choice(list(self.relays.values()))
        relay.troubled_until = self.now + self.random.uniform(15, 90)

    def _die(self) -> None:
        living = [each for each, relay in self.relays.items() if relay.alive]
        if len(living) < 2:
            return
        relay_id = self.random.choice(living)
        relay = self.relays[relay_id]
        relay.alive = False
        self.seen.lost_people += len(relay.people)
        for person, room in relay.people.items():
            self._copy(room).listening[room] -= 1
            self.at(self.random.uniform(1, 4), self._come_back, person, room)
        for room in relay.rooms.keys() | relay.homes:
            self._copy(room).serving[room].discard(relay_id)
        self.at(3.0, self._move_homes, sorted(relay.homes))
        self.at(self.random.uniform(20, 90), self._start_again, relay)

    def _start_again(self, old: Relay) -> None:
        self.relays[old.relay_id] = Relay(old.relay_id, old.region, self.limits, old.boot + 1, self.now)

    def _open_rooms(self) -> None:
        """All rooms are there when people come; a fleet that cannot carry their stages is no scenario."""
        for room in range(self.plan.rooms):
            home = self._copy(room).open_room(room, f"region-{room % self.plan.regions}", self.now)
            if home is None:
                raise FleetTooSmall(
                    f"such a fleet carries the stages of {room} rooms, and the evening has {self.plan.rooms}"
                )
            self.relays[home].give_home(room)

    def _move_homes(self, rooms: list[int]) -> None:
        for room in rooms:
            chosen = self._copy(room).move_home(room, self.now)
            if chosen is None or not (self.relays[chosen].alive and self.relays[chosen].takes_home()):
                self.at(1.0, self._move_homes, [room])
            else:
                self.relays[chosen].give_home(room)

    # People.

    def _arrive(self, number: int) -> None:
        plan = self.plan
        self.left_to_come -= 1
        # One hall that most want to hear; the others are the smaller the higher their number.
        hall = self.random.random() < plan.hall_share
        room = 0 if hall else 1 + int((plan.rooms - 1) * self.random.random() ** 2)
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
        returning, copy = self.since[person][1], self._copy(room)
        if person in self.seated:
            if not self._place(copy, person, room, returning=returning):
                self.at(self.random.uniform(0.5, 2.0), self._knock, person, room)
            return
        line = copy.line(room)
        if returning or not (copy.short or line.keeps_out(None, self.now)):
            may = returning or copy.has_share_left(room, copy.listening.get(room, 0) + line.offers, self.now)
            if may and self._place(copy, person, room, returning=returning):
                return
            if may:
                self._note_refusal(copy, room)
        if line.of(person) is None:
            lot = lot_of(str(room), person)
            line.arrive(person, int(self.now * 1000), lot, first=returning, now=self.now)
            self.at(40.0, self._show, line, person)

    def _show(self, line: Line, person: str) -> None:
        """A sign of life of somebody who waits."""
        if line.knock(person, None, self.now) is not None:
            self.at(40.0, self._show, line, person)

    def _place(self, copy: Copy, person: str, room: int, *, returning: bool, offered: bool = False) -> bool:
        self.permits += 1
        permit = str(self.permits)
        who = copy.newcomer(person, room, self._region(person), returning=returning)
        chosen = copy.choose(who, permit, self.now, OFFER_SECONDS if offered else 10.0)
        if chosen is None:
            return False
        wait = self.random.uniform(0.5, 6.0) if offered else self.random.uniform(0.05, 0.5)
        self.at(wait, self._connect, person, room, chosen.relay_id, permit, chosen.boot_id)
        return True

    def _connect(self, person: str, room: int, relay_id: str, permit: str, boot_id: str) -> None:
        relay, copy = self.relays[relay_id], self._copy(room)
        if person not in self.since:
            return
        if not relay.alive or f"boot-{relay.boot}" != boot_id:
            self._again(person, room, relay_id, permit)
            return
        if not relay.takes(room, 1.0 if self.since[person][1] else 1 - KEPT_BACK):
            self.seen.refused_by_relay += 1
            self._again(person, room, relay_id, permit)
            return
        relay.people[person] = room
        relay.change(room, 1)
        relay.serial += 1
        copy.serving[room].add(relay_id)
        copy.listening[room] = copy.listening.get(room, 0) + 1
        self.seen.far += relay.region != self._region(person)
        self.at(0.1, self._opened, copy, relay_id, (str(room), person), permit, relay.serial)
        self.at(self.random.expovariate(1 / self.plan.stay_seconds), self._leave, person, relay)
        self._note_entry(copy, person, room)

    def _again(self, person: str, room: int, relay_id: str, permit: str) -> None:
        """A permit came to nothing: whoever was asked in keeps the place, and anybody else asks anew."""
        copy = self._copy(room)
        copy.known[relay_id].reserved.give_back((str(room), person), permit)
        if copy.line(room).is_offered(person):
            # They took their seat when they showed themselves, and it stays theirs while they ask for another permit.
            self.seen.from_line += 1
            copy.line(room).came_in(person, self.now)
            self.seated.add(person)
        self.at(self.random.uniform(0.5, 2.0), self._knock, person, room)

    @staticmethod
    def _opened(copy: Copy, relay_id: str, seat: tuple[str, str], permit: str, serial: int) -> None:
        copy.known[relay_id].opened(seat, permit, serial)

    def _leave(self, person: str, relay: Relay) -> None:
        room = relay.people.pop(person, None)
        if room is not None and relay.alive:
            relay.change(room, -1)
            copy = self._copy(room)
            copy.listening[room] -= 1
            if room not in relay.rooms and room not in relay.homes:
                copy.serving[room].discard(relay.relay_id)

    # Lines and doors.

    def _round(self, copy: Copy) -> None:
        self.at(0.5, self._round, copy)
        queues = deque[tuple[int, Line, Iterator[Waiter]]]()
        for room, line in copy.lines.items():
            for person in line.lapse(self.now):
                copy.release(room, person)
            for person in line.forget_silent(self.now):
                self.since.pop(person, None)
                self.seen.gave_up += 1
            if len(line):
                queues.append((room, line, copy.next_ones(room, line, _MOST_OFFERS, self.now)))
        queues.rotate(-self.random.randrange(len(queues)) if queues else 0)
        made, copy.short = 0, False
        while queues and made < _MOST_OFFERS:
            room, line, people = queues.popleft()
            waiter = next(people, None)
            if waiter is None:
                continue
            if not self._place(copy, waiter.user_id, room, returning=waiter.first, offered=True):
                self._note_refusal(copy, room)
                copy.short = True
                break
            self._note_offer(room, waiter)
            line.offer(waiter, self.now)
            made += 1
            queues.append((room, line, people))

    def _open_doors(self) -> None:
        self.at(1.0, self._open_doors)
        headroom = self.fleet.headroom(self.now)
        pace = self.doors.pace(headroom, None, _EPOCH)
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

    def _note_entry(self, copy: Copy, person: str, room: int) -> None:
        since, returned = self.since.pop(person)
        self.seated.discard(person)
        waited = self.now - since
        if returned:
            self.seen.came_back += 1
            self.seen.longest_return = max(self.seen.longest_return, waited)
        else:
            self.seen.entered += 1
            self.seen.longest_wait = max(self.seen.longest_wait, waited)
        line = copy.line(room)
        if person in line:
            self.seen.from_line += 1
        line.came_in(person, self.now)

    def _note_offer(self, room: int, waiter: Waiter) -> None:
        """Whoever is asked after somebody who came later was passed over."""
        if waiter.first or waiter.lapses:
            return
        self.seen.inversions += waiter.arrived_at < self.last_asked.get(room, 0)
        self.last_asked[room] = waiter.arrived_at

    def _note_refusal(self, copy: Copy, room: int) -> None:
        """Somebody was told that no relay has room: then none has any, in truth and as this copy heard of it."""
        given = (1 - KEPT_BACK) * _FULL_WITHIN
        for relay_id, state in copy.known.items():
            relay = self.relays[relay_id]
            if not relay.alive or not state.is_fresh(self.now) or relay.ladder.step >= WAITING_STEP:
                continue
            promised = (
                each.known[relay_id].reserved.total(self.now, each.known[relay_id].carried)
                for each in self.copies
                if relay_id in each.known
            )
            wanted = TARIFF.listener() + TARIFF.channel(home=copy.home[room] == relay_id)
            work = max(relay.work, state.work, key=relay.limits.fullness)
            if relay.limits.allow(sum(promised, NOTHING) + work + wanted, given):
                self.seen.refused_with_room += 1
                return

    def _sample(self) -> None:
        self.at(10.0, self._sample)
        alive = [relay for relay in self.relays.values() if relay.alive]
        # One that sheds load, or did or began a moment ago, is lighter than its neighbours for a reason.
        settled = [each for each in alive if not each.ladder.step and self.now - each.since >= _STARTED_SECONDS]
        for region in {relay.region for relay in settled}:
            loads = [relay.fullness for relay in settled if relay.region == region]
            if fmean(loads) >= _LOADED:
                self.seen.worst_ratio = max(self.seen.worst_ratio, max(loads) / fmean(loads))
        loads = [relay.fullness for relay in alive]
        self.seen.overloaded += sum(load > 1.0 for load in loads)
        share = sum(relay.work_of(0) for relay in alive) / sum(relay.limits.usual for relay in alive)
        self.seen.most_share = max(self.seen.most_share, share)
        waiting = sum(len(line) for copy in self.copies for line in copy.lines.values()) + len(self.at_door)
        self.seen.samples.append((self.now, fmean(loads), max(loads), waiting))
