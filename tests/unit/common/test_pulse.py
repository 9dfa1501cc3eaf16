"""Who waits for the bus learns that it fell silent, once for each silence and from one question however many ask."""

from services.common.bus.pulse import Pulse


class Server:
    """Answers, hangs, or is not connected."""

    def __init__(self) -> None:
        self.answer: bool | None = True
        self.asked = 0

    async def ask(self, within: float) -> bool | None:
        assert 0 < within < 1
        self.asked += 1
        return self.answer


async def test_nobody_is_asked_while_nobody_wants_to_know() -> None:
    server = Server()
    await Pulse(server.ask).feel()
    assert server.asked == 0


async def test_each_silence_is_told_once_and_to_all() -> None:
    server, told = Server(), list[str]()
    pulse = Pulse(server.ask)
    pulse.on_silence(lambda: told.append("one"))
    pulse.on_silence(lambda: told.append("other"))
    await pulse.feel()
    assert (server.asked, told, pulse.is_silent) == (1, [], False)
    server.answer = False
    await pulse.feel()
    await pulse.feel()
    assert (told, pulse.is_silent) == (["one", "other"], True)
    server.answer = True
    await pulse.feel()
    assert not pulse.is_silent
    server.answer = False
    await pulse.feel()
    assert told == ["one", "other"] * 2


async def test_without_a_connection_there_is_nobody_to_ask_and_what_was_known_stands() -> None:
    server, told = Server(), list[str]()
    pulse = Pulse(server.ask)
    pulse.on_silence(lambda: told.append("told"))
    server.answer = None
    await pulse.feel()
    assert (told, pulse.is_silent) == ([], False)
    pulse.tell()
    assert told == ["told"]
