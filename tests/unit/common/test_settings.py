"""Settings come from the environment, strictly, and describe themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from services.common.forms import LISTEN
from services.common.settings import ServiceSettings, SettingsError, Within, describe, load


@dataclass(frozen=True, kw_only=True)
class Oven(ServiceSettings):
    """Settings of a service that bakes."""

    heat_degrees: int = 220
    """How hot the oven is."""
    fan: bool = False
    toppings: tuple[str, ...] = ("cheese",)
    """What lies on top."""
    minutes: float = 9.5
    slices: Annotated[int, Within(1)] = 8
    doors: Annotated[tuple[str, ...], LISTEN] = ("127.0.0.1:0",)
    crust: Literal["thin", "thick"] = "thin"
    recipe_file: Path | None = None
    baker: str
    """Who bakes."""


NEEDED = {"OVEN_SERVICE_SECRET_FILE": "/run/secret", "OVEN_BAKER": "Lina"}


def test_values_take_the_types_of_their_fields() -> None:
    oven = load(
        Oven,
        "oven",
        {
            **NEEDED,
            "OVEN_HEAT_DEGREES": "250",
            "OVEN_FAN": "Yes",
            "OVEN_TOPPINGS": "cheese, basil,,tomato",
            "OVEN_MINUTES": "7",
            "OVEN_CRUST": "thick",
            "OVEN_RECIPE_FILE": "/recipes/plain",
            "PATH": "/bin",
        },
    )
    assert (oven.heat_degrees, oven.fan, oven.minutes, oven.crust) == (250, True, 7.0, "thick")
    assert oven.toppings == ("cheese", "basil", "tomato")
    assert oven.recipe_file == Path("/recipes/plain")


def test_what_is_not_set_keeps_its_default() -> None:
    oven = load(Oven, "oven", NEEDED)
    assert (oven.heat_degrees, oven.toppings, oven.recipe_file) == (220, ("cheese",), None)
    assert oven.grpc_listen == "127.0.0.1:0"


def test_empty_text_means_none_for_an_optional_setting() -> None:
    assert load(Oven, "oven", {**NEEDED, "OVEN_RECIPE_FILE": ""}).recipe_file is None


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("OVEN_HEAT_DEGREES", "hot", "a whole number"),
        ("OVEN_HEAT_DEGREES", "220.5", "a whole number"),
        ("OVEN_MINUTES", "nan", "a number"),
        ("OVEN_MINUTES", "inf", "a number"),
        ("OVEN_FAN", "maybe", "true or false"),
        ("OVEN_CRUST", "burnt", "one of thin, thick"),
        ("OVEN_SERVICE_SECRET_FILE", "", "a path"),
        ("OVEN_SLICES", "0", "at least 1"),
        ("OVEN_SLICES", "1000000000000", "at most 1000000000"),
        ("OVEN_GRPC_LISTEN", "127.0.0.1:99999", "host:port, with a port of at most 65535"),
        ("OVEN_METRICS_LISTEN", "127.0.0.1", "host:port"),
        ("OVEN_DOORS", "[::1]:65535,127.0.0.1", "host:port"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_is_allowed(name: str, text: str, allowed: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(Oven, "oven", {**NEEDED, name: text})
    assert name in str(refused.value)
    assert allowed in str(refused.value)


def test_an_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"OVEN_HEET is not a setting.*OVEN_HEAT_DEGREES"):
        load(Oven, "oven", {**NEEDED, "OVEN_HEET": "1"})


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="OVEN_BAKER must be set"):
        load(Oven, "oven", {"OVEN_SERVICE_SECRET_FILE": "/run/secret"})


def test_settings_describe_themselves_with_the_text_under_each_field() -> None:
    docs = {doc.env: doc for doc in describe(Oven, "oven")}
    assert docs["OVEN_HEAT_DEGREES"].doc == "How hot the oven is."
    assert docs["OVEN_HEAT_DEGREES"].default == "220"
    assert docs["OVEN_TOPPINGS"].default == "cheese"
    assert docs["OVEN_CRUST"].type == "one of thin, thick"
    assert docs["OVEN_RECIPE_FILE"].default == ""
    assert docs["OVEN_BAKER"].default is None
    assert docs["OVEN_FAN"].doc == ""
    assert docs["OVEN_NATS_URL"].doc.startswith("NATS servers, comma separated: nats://host:port, ")


def test_every_setting_shared_by_services_is_documented() -> None:
    assert [doc.name for doc in describe(ServiceSettings, "any") if not doc.doc] == []


def test_a_short_service_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short\n")
    with pytest.raises(SettingsError, match="at least 16"):
        ServiceSettings(service_secret_file=tmp_path / "secret").service_secret()


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere"):
        ServiceSettings(service_secret_file=tmp_path / "nowhere").service_secret()
