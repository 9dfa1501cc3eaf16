"""Names that clients are told of are resolved, here and now."""

import pytest

from services.common.settings import SettingsError
from services.media_relay.settings import media_addresses

BOUND = [("0.0.0.0", 5004), ("::", 5004)]


def test_a_name_is_resolved_since_candidates_are_addresses() -> None:
    assert ("127.0.0.1", 5004) in media_addresses(("localhost",), BOUND).udp


@pytest.mark.parametrize("text", ["no such host.invalid", "host.invalid"])
def test_a_name_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="MEDIA_RELAY_ADVERTISE"):
        media_addresses((text,), BOUND)
