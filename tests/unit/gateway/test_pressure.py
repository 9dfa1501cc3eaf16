"""When the gateway counts as pressed: people wait at the door, and it is its own work that keeps them there."""

from services.gateway.call.pressure import MOST_KNOCKING, Pressure


class Machine:
    """Connections that wait, and what the thread has worked."""

    def __init__(self) -> None:
        self.knocking = 0
        self.worked = self.now = 1000.0
        self.pressure = Pressure(lambda: self.knocking, lambda: self.worked, lambda: self.now)

    def goes_on(self, seconds: float, share: float) -> bool:
        """After so long with such a share of a core: whether it is pressed."""
        self.now += seconds
        self.worked += seconds * share
        return self.pressure()


def test_a_busy_gateway_with_people_before_it_is_pressed_until_they_are_in() -> None:
    machine = Machine()
    machine.goes_on(1.0, 0.9)
    machine.knocking = MOST_KNOCKING + 1
    assert machine.goes_on(0.2, 0.9)
    machine.knocking = MOST_KNOCKING
    assert not machine.goes_on(0.2, 0.9), "one turn accepts them"


def test_a_gateway_that_waits_for_others_is_not_pressed_however_many_wait_for_it() -> None:
    machine = Machine()
    machine.knocking = 4000
    machine.goes_on(1.0, 0.1)
    assert not machine.goes_on(0.2, 0.15), "the machine is somebody else's, or services answer slowly"
    assert machine.goes_on(0.2, 0.9)
    assert not machine.goes_on(0.2, 0.2), "and it is over with its work"
