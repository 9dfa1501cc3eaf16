"""How addresses, origins and URLs are written in settings: one shape of each kind for all services."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """How a text must be written, and that in words."""

    pattern: str
    words: str
    is_secret: bool = False
    """Whether it may hold a password, so that a refusal must not repeat it."""

    def __str__(self) -> str:
        return self.words


_LABEL = r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?"
_NAME = rf"(?=[^:/]{{1,253}}(?:[:/]|\Z)){_LABEL}(\.{_LABEL})*\.?"
_V6 = r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*"
_ZONED = rf"\[{_V6}(%[a-zA-Z0-9_.-]+)?\]"
_HOST = rf"({_NAME}|{_ZONED})"
_NUMBER = r"[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_ANY_PORT = rf"0*({_NUMBER})"
_PORT = rf"(?!0+(?:\D|\Z)){_ANY_PORT}"
_LOGIN = r"([^\s/@,]+@)?"
_BEHIND_SCHEME = rf"://{_LOGIN}{_HOST}(:{_PORT})?/?"
_BUS = "|".join(rf"\s*{each}{_BEHIND_SCHEME}\s*(,\s*{each}{_BEHIND_SCHEME}\s*)*" for each in ("nats", "tls"))

LISTEN = Written(rf"({_HOST}|{_V6}|\*?):{_ANY_PORT}", "host:port, with a port of at most 65535")
"""Of an address that a service listens on; port 0 is any free one."""
_V4_PORT = rf"[0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}}:{_PORT}"
_V6_PORT = rf"\[{_V6}\]:{_PORT}"
ADDRESS = Written(
    rf"(dns:///)?{_HOST}:{_PORT}|ipv4:{_V4_PORT}(,{_V4_PORT})*|ipv6:{_V6_PORT}(,{_V6_PORT})*",
    "host:port, like auth:9090, or of copies without a name ipv4:10.0.0.2:9090,10.0.0.3:9090",
)
"""Of an address that others are reached at, in the ways of gRPC that make sense between services."""
OWN_ADDRESS = Written(rf"({_HOST}|{_V6}):{_PORT}", "host:port, as others reach it")
"""Of an address that others are told; an IPv6 address of a pod comes without its brackets."""
HOST = Written(rf"{_NAME}|{_ZONED}|{_V6}", "a host name or an IP address, without a scheme or a port")
HOST_NAME = Written(
    r"(?=.{1,253}\Z)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*",
    "a host name, like directory.hall.example",
)
ORIGIN = Written(
    rf"(?i:https?)://{_HOST}(:{_PORT})?/?", "http(s)://host[:port] without a path, like https://hall.example"
)
"""Of what pages belong to, as people type it."""
HTTP_URL = Written(rf"(?i:https?)://{_LOGIN}{_HOST}(:{_PORT})?(/\S*)?", "http(s)://host[:port]", is_secret=True)
BUS_URLS = Written(
    _BUS, "nats://host:port or tls://host:port, several of one scheme with commas between", is_secret=True
)
DATABASE_URL = Written(
    r"(sqlite|postgres(ql)?)(\+[a-z0-9_]+)?://.*",
    "sqlite:///FILE or postgresql://NAME:PASSWORD@HOST/DATABASE",
    is_secret=True,
)
MAILBOX = Written(r"([^<>\r\n]*<)?[^\s@<>]+@[^\s@<>]+>?", "an e-mail address, like majlis@hall.example")
REGION = Written(r"(?=.{1,63}\Z)[a-z0-9]+(-[a-z0-9]+)*", "parts of a-z and 0-9 with dashes between, like eu-west-1")
