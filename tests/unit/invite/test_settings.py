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
    with pytest.raises(SettingsError, match="place_hours must be above 0 and at most 8760"):
        load(Settings, "invite", {**NEEDED, "INVITE_PLACE_HOURS": hours})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("quota", "-1"),
        ("expiry_days", "0"),
        ("claim_seconds", "0"),
        ("sweep_seconds", "-1"),
        ("relay_share", "1.5"),
        ("most_waiting", "0"),
        ("fact_days", "-1"),
        ("closed_invitation_days", "-2"),
        ("audit_days", "-3"),
    ],
)
def test_a_refused_setting_is_named_alone_with_its_value(setting: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        load(Settings, "invite", {**NEEDED, f"INVITE_{setting.upper()}": value})
    told = str(refusal.value)
    assert f"{setting} must" in told
    assert f"it is {value}" in told
    assert told.count(" must ") == 1
