"""Who the bearer of a token is."""

from datetime import timedelta

import pytest

from services.common.errors import NotSignedIn, ScopeMissing, TokenExpired
from services.gateway.call.identity import Identities, bearer_of
from tests.support.fake_clock import FakeClock
from tests.support.rpc_harness import TokenMint


class Exchange:
    """Plays auth."""

    def __init__(self, mint: TokenMint, clock: FakeClock) -> None:
        self.calls = 0
        self._mint = mint
        self._clock = clock

    async def __call__(self, personal: str, network: str) -> tuple[str, float]:
        self.calls += 1
        return self._mint.token(), (self._clock.now() + timedelta(minutes=10)).timestamp()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mint(clock: FakeClock) -> TokenMint:
    return TokenMint(clock)


@pytest.fixture
def exchange(mint: TokenMint, clock: FakeClock) -> Exchange:
    return Exchange(mint, clock)


@pytest.fixture
def identities(mint: TokenMint, exchange: Exchange, clock: FakeClock) -> Identities:
    return Identities(mint.verifier(), exchange, clock)


async def test_a_personal_token_is_traded_at_most_once_a_minute(
    identities: Identities, exchange: Exchange, clock: FakeClock
) -> None:
    for _ in range(3):
        await identities.access_token("mjp_one", "")
    assert exchange.calls == 1
    clock.advance(61)
    await identities.access_token("mjp_one", "")
    assert exchange.calls == 2
    await identities.access_token("mjp_two", "")
    assert exchange.calls == 3


@pytest.mark.parametrize("shown", ["", "with space", "new\nline", "ключ", "x" * 9000])
async def test_what_cannot_be_a_token_is_refused(identities: Identities, shown: str) -> None:
    with pytest.raises(NotSignedIn):
        await identities.access_token(shown, "")


async def test_a_remembered_verdict_ends_with_the_token(
    identities: Identities, mint: TokenMint, clock: FakeClock
) -> None:
    token = mint.token(exp=int(clock.now().timestamp()) + 20)
    assert (await identities.verify(token)).user_id == "user000000000001"
    clock.advance(55)
    with pytest.raises(TokenExpired):
        await identities.verify(token)


async def test_a_remembered_verdict_ends_with_the_sign_in(identities: Identities, mint: TokenMint) -> None:
    token = mint.token()
    await identities.verify(token)
    mint.revocations.revoke_sign_in("signin0000000001")
    with pytest.raises(NotSignedIn):
        await identities.verify(token)


async def test_scopes_are_checked_each_time(identities: Identities, mint: TokenMint) -> None:
    token = mint.token(scopes=("listen",))
    await identities.verify(token, "listen")
    with pytest.raises(ScopeMissing):
        await identities.verify(token, "speak")
    await identities.verify(mint.token(), "speak")


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None), ("", None), (None, None)],
)
def test_the_bearer_is_read_from_its_header(header: str | None, token: str | None) -> None:
    assert bearer_of(header) == token


async def test_of_people_who_came_once_nothing_is_kept_after_a_minute_or_two(
    identities: Identities, mint: TokenMint, clock: FakeClock
) -> None:
    for _ in range(10):
        for number in range(50):
            await identities.verify(mint.token(f"guest{number}"))
        clock.advance(40)
    assert identities.remembered <= 2 * 50
