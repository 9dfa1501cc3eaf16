"""Addresses, origins and URLs of settings: what is one, and what is not."""

import re

import pytest

from services.common import forms
from services.common.forms import Written


def fits(form: Written, text: str) -> bool:
    return re.fullmatch(form.pattern, text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "auth:9090",
        "room_directory:9090",
        "auth.majlis.svc.cluster.local.:9090",
        "10.0.0.7:1",
        "[::1]:65535",
        "dns:///auth:9090",
        "ipv4:127.0.0.2:17792,127.0.0.3:14448",
        "ipv6:[::1]:9090,[fd00::2]:9090",
    ],
)
def test_an_address_is_a_host_and_a_port_that_can_be_reached(text: str) -> None:
    assert fits(forms.ADDRESS, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nowhere",
        "nowhere:",
        ":9090",
        "auth:0",
        "auth:00",
        "auth:65536",
        "http://auth:9090",
        "auth:9090/",
        "a b:1",
        "::1:9090",
        "auth:9090\n",
        "a" * 300 + ":1",
        "a..b:1",
        "ipv4:",
        "ipv4:auth:9090",
        "ipv4:127.0.0.2:9090,",
        "127.0.0.2:9090,127.0.0.3:9090",
    ],
)
def test_a_text_without_either_is_no_address(text: str) -> None:
    assert not fits(forms.ADDRESS, text)


@pytest.mark.parametrize("text", ["0.0.0.0:0", ":9090", "[::]:9090", ":::9090", "localhost:0080"])
def test_a_service_may_listen_everywhere_and_on_any_free_port(text: str) -> None:
    assert fits(forms.LISTEN, text)


@pytest.mark.parametrize("text", ["http://0.0.0.0:80", "127.0.0.1", "127.0.0.1:65536", "a b:1"])
def test_a_service_cannot_listen_on_what_is_no_address(text: str) -> None:
    assert not fits(forms.LISTEN, text)


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8080",
        "https://hall.example",
        "HTTPS://Hall.Example/",
        "https://[2001:db8::7]:8443",
        "https://xn--80aai.example",
    ],
)
def test_an_origin_has_a_scheme_and_a_host(text: str) -> None:
    assert fits(forms.ORIGIN, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hall.example",
        "localhost:5173",
        "//hall.example",
        "ftp://hall.example",
        "https://",
        "https://:443",
        "https://hall.example/rooms",
        "https://hall.example?x",
        "https://me@hall.example",
        "https://hall.example:0",
        "https://hall.example:99999",
        "https://зал.example",
        "https://hall.example\n",
    ],
)
def test_what_has_neither_or_more_is_no_origin(text: str) -> None:
    assert not fits(forms.ORIGIN, text)


@pytest.mark.parametrize(
    "text", ["nats://127.0.0.1:4222", "tls://nats:4222,tls://b:4222", " nats://a , nats://u:p@b:1 "]
)
def test_buses_are_addresses_of_one_scheme(text: str) -> None:
    assert fits(forms.BUS_URLS, text)


@pytest.mark.parametrize(
    "text", ["", "127.0.0.1:4222", "ws://nats:1", "nats://", "nats://a:1,tls://b:1", "nats://a:1,,nats://b:1"]
)
def test_buses_of_two_schemes_or_of_none_are_refused(text: str) -> None:
    assert not fits(forms.BUS_URLS, text)


@pytest.mark.parametrize("text", ["eu", "eu-west-1", "hall2"])
def test_a_region_is_parts_with_dashes_between(text: str) -> None:
    assert fits(forms.REGION, text)


@pytest.mark.parametrize("text", ["EU", "eu-", "-eu", "eu--west", "eu west", "eu.west", "eu\n", "a" * 64])
def test_anything_else_is_no_region(text: str) -> None:
    assert not fits(forms.REGION, text)


@pytest.mark.parametrize("text", ["mail", "mail.hall.example", "127.0.0.1", "::1", "[::1]"])
def test_a_host_is_a_name_or_an_ip_address(text: str) -> None:
    assert fits(forms.HOST, text)


@pytest.mark.parametrize("text", ["", "smtp://mail", "mail:25", "mail/", "two words"])
def test_a_scheme_or_a_port_is_no_part_of_a_host(text: str) -> None:
    assert not fits(forms.HOST, text)


@pytest.mark.parametrize("text", ["majlis@localhost", "Majlis <majlis@hall.example>"])
def test_a_sender_has_an_address(text: str) -> None:
    assert fits(forms.MAILBOX, text)


@pytest.mark.parametrize("text", ["", "majlis", "@hall.example", "majlis@", "a@b@c"])
def test_a_sender_without_one_is_refused(text: str) -> None:
    assert not fits(forms.MAILBOX, text)
