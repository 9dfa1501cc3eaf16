"""What invite takes of the settings of its doors."""

import pytest

from services.common.settings import SettingsError, load
from services.invite.settings import Settings

NEEDED = {
    "INVITE_SERVICE_SECRET_FILE": "secret",
    "INVITE_CODE_SECRET_FILE": "codes",
    "INVITE_PUBLIC_URL": "https://hall.example",
    "INVITE_AUTH_ADDRESS": "auth:9090",
}


@pytest.mark.parametrize("hours", ["0", "-1", "8761", "1e300"])
def test_a_place_is_kept_for_a_year_at_most(hours: str) -> None:
    assert load(Settings, "invite", {**NEEDED, "INVITE_PLACE_HOURS": "8760"}).place_hours == 8760
    with pytest.raises(SettingsError, match=r"INVITE_PLACE_HOURS=.*must be 0.1 to 8760"):
        load(Settings, "invite", {**NEEDED, "INVITE_PLACE_HOURS": hours})
