"""Who is heard on a floor, by the frames of its programme."""

from services.gateway.watch.who_speaks import BREATH_SECONDS, QUIETEST, Floor


def test_who_is_named_speaks_through_a_breath_and_then_no_more() -> None:
    floor = Floor()
    floor.hear([9, 4], 20, now=10.0)
    assert floor.speakers(10.0) == (4, 9)
    floor.hear([4], 20, now=10.5)
    assert floor.speakers(10.0 + BREATH_SECONDS) == (4,)
    assert floor.speakers(10.5 + BREATH_SECONDS) == ()


def test_a_quiet_room_behind_an_open_microphone_is_nobodys_speech() -> None:
    floor = Floor()
    floor.hear([4], QUIETEST + 1, now=1.0)
    assert floor.speakers(1.0) == ()
    floor.hear([4], QUIETEST, now=1.0)
    assert floor.speakers(1.0) == (4,)
