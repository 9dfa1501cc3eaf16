"""Reads a service's settings from its environment variables, strictly."""

import ast
import dataclasses
import inspect
import itertools
import math
import re
import textwrap
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from services.common.forms import ADDRESS, BUS_URLS, HTTP_URL, LISTEN, Written

T = TypeVar("T")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


LONGEST_SECONDS = 366 * 86_400.0
LONGEST_DAYS = 36_500
"""Of a span that a setting may give: beyond it dates would run out."""
_MOST = 1e9


@dataclass(frozen=True, slots=True)
class Within:
    """What a number may be, ends included; written beside its type, as in `Annotated[int, Within(1)]`."""

    least: float
    most: float = _MOST

    def __str__(self) -> str:
        least, most = (f"{end:,.12g}".replace(",", "") for end in (self.least, self.most))
        return f"at least {least}" if self.most == _MOST else f"{least} to {most}"


class SettingsError(Exception):
    """A setting is unknown, missing or wrong; the message names it and says what is allowed."""


class WrongSetting(ValueError):
    """What a settings class raises about fields that do not fit each other; `load` names their variables."""

    def __init__(self, words: str, *fields: str) -> None:
        super().__init__(f"{' and '.join(fields)} {words}")
        self.words = words
        self.fields = fields


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """What every service can be told; each service adds its own fields in a subclass."""

    grpc_listen: Annotated[str, LISTEN] = "127.0.0.1:0"
    """Address of the gRPC server, host:port; port 0 lets the system choose."""
    metrics_listen: Annotated[str, LISTEN] = "127.0.0.1:0"
    """Address of the private HTTP port with /metrics, /healthz and /readyz."""
    nats_url: Annotated[str, BUS_URLS] = "nats://127.0.0.1:4222"
    """NATS servers, comma separated: nats://host:port, or tls://host:port for TLS from the first byte."""
    nats_nkey_seed_file: Path | None = None
    """File with the seed (SU…) of this service's key for NATS; read again for each connection."""
    nats_ca_file: Path | None = None
    """PEM certificates of the authorities that sign NATS servers; else those of tls_ca_file, else the system's."""
    service_secret_file: Path
    """File with the secret that proves one service to another on one machine."""
    deployment: str = "majlis"
    """Name of the deployment: the audience of its tokens."""
    auth_address: Annotated[str, ADDRESS] = ""
    """gRPC address of the service that publishes the token keys, host:port."""
    log_format: Literal["json", "text"] = "json"
    """json for machines, text for people."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is written."""
    shutdown_grace_seconds: Annotated[float, Within(0, 3600)] = 10.0
    """How long calls in progress may take to finish once the service is told to stop."""
    tls_cert_file: Path | None = None
    """PEM certificate chain of this service; with its key and the authorities it turns on mutual TLS. The certificate
    names the service as spiffe://<deployment>/<service>; the files may be replaced at any time."""
    tls_key_file: Path | None = None
    """PEM private key of tls_cert_file."""
    tls_ca_file: Path | None = None
    """PEM certificates of the authorities that sign services."""
    traces_endpoint: Annotated[str, HTTP_URL] = ""
    """OTLP collector that traces are sent to by gRPC, like http://collector:4317; empty means that of the variable
    OTEL_EXPORTER_OTLP_ENDPOINT, and without either nothing is traced."""
    traces_share: Annotated[float, Within(0, 1)] = 1.0
    """Share of the requests that are traced, 0 to 1, decided where a request enters the system."""
    ready_file: Path | None = None
    """File written once the service serves: a JSON object with the ports it chose."""

    def service_secret(self) -> str:
        """The secret's text. Raises SettingsError when the file cannot be read or holds less than 16 characters."""
        secret = read_secret(self.service_secret_file)
        if len(secret) < 16:
            raise SettingsError(f"{self.service_secret_file}: the service secret needs at least 16 characters")
        return secret


@dataclass(frozen=True)
class SettingDoc:
    """One setting as the documentation shows it."""

    env: str
    name: str
    type: str
    default: str | None
    """Text of the default; None when the setting must be given."""
    doc: str


def read_secret(path: Path) -> str:
    """The stripped text of a secret file. Raises SettingsError naming the file when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read the secret file {path}: {error}") from error


def load(cls: type[T], prefix: str, env: Mapping[str, str]) -> T:
    """Builds the dataclass `cls` from variables `<PREFIX>_<FIELD>` of `env`.

    Raises SettingsError for an unknown variable with the prefix, a missing one, or a value of the wrong form.
    """
    names = {_env_name(prefix, field.name): field for field in _fields(cls)}
    unknown = sorted(name for name in env if name.startswith(prefix.upper() + "_") and name not in names)
    if unknown:
        raise SettingsError(f"{unknown[0]} is not a setting; the settings are {', '.join(sorted(names))}")
    hints = typing.get_type_hints(cls, include_extras=True)
    values: dict[str, Any] = {}
    for name, field in names.items():
        inner, marks = _marks(hints[field.name])
        # An orchestrator leaves a text empty that it does not set; where something else would count, that is refused.
        may_lack = inner is str and bool(marks) and (_required(field) or field.default == "")
        is_set = name in env and (env[name] != "" or not may_lack)
        if is_set:
            values[field.name] = _parse(name, env[name], hints[field.name])
        elif _required(field):
            raise SettingsError(f"{name} must be set ({', '.join(map(str, marks)) or _type_name(inner)})")
    try:
        return cls(**values)
    except WrongSetting as error:
        named = " and ".join(_env_name(prefix, each) for each in error.fields)
        raise SettingsError(f"{named} {error.words}") from error


def describe(cls: type[Any], prefix: str) -> list[SettingDoc]:
    """Every setting of `cls` in the order of its fields, for documentation and for checks of manifests."""
    hints, docs = typing.get_type_hints(cls), _docstrings(cls)
    marks = {name: _marks(hint)[1] for name, hint in typing.get_type_hints(cls, include_extras=True).items()}
    return [
        SettingDoc(
            env=_env_name(prefix, field.name),
            name=field.name,
            type=", ".join((_type_name(hints[field.name]), *map(str, marks[field.name]))),
            default=None if _required(field) else _default_text(field),
            doc=docs.get(field.name, ""),
        )
        for field in _fields(cls)
    ]


def _fields(cls: type[Any]) -> tuple[dataclasses.Field[Any], ...]:
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    return dataclasses.fields(cls)


def _env_name(prefix: str, field: str) -> str:
    return f"{prefix}_{field}".upper()


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default_text(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def bounds(cls: type[Any]) -> dict[str, Within]:
    """What the numbers among the settings of `cls` may be, by field."""
    marks = {name: _marks(hint)[1] for name, hint in typing.get_type_hints(cls, include_extras=True).items()}
    return {name: mark for name, each in marks.items() for mark in each if isinstance(mark, Within)}


def _marks(hint: Any) -> tuple[Any, tuple[Within | Written, ...]]:
    """A hint without what is written beside it, and that."""
    if typing.get_origin(hint) is not Annotated:
        return hint, ()
    inner, *marks = typing.get_args(hint)
    return inner, tuple(mark for mark in marks if isinstance(mark, Within | Written))


def _type_name(hint: Any) -> str:
    options = _members(hint)
    if options is not None:
        return _type_name(options)
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return "comma-separated list"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}[hint]


def _members(hint: Any) -> Any | None:
    """The other member of `X | None`, or None when the hint is not optional."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return None
    others = [member for member in typing.get_args(hint) if member is not type(None)]
    if len(others) != 1:
        raise TypeError(f"settings know X | None but not {hint}")
    return others[0]


def _parse(name: str, text: str, hint: Any) -> Any:
    hint, marks = _marks(hint)
    value = _parse_plain(name, text, hint)
    for mark in marks:
        if value is not None and not _keeps(value, mark):
            shown = name if isinstance(mark, Written) and mark.is_secret else f"{name}={text!r}"
            raise SettingsError(f"{shown} is not allowed: it must be {_wanted(value, mark)}")
    return value


def _keeps(value: Any, mark: Within | Written) -> bool:
    if isinstance(mark, Within):
        return bool(mark.least <= value <= mark.most)
    return all(re.fullmatch(mark.pattern, each) for each in (value if isinstance(value, tuple) else (value,)))


def _wanted(value: Any, mark: Within | Written) -> str:
    """What the mark asks for, seen from a value that does not keep to it."""
    if isinstance(mark, Within) and value > mark.most == _MOST:
        return f"at most {_MOST:.0f}"
    return str(mark)


def _parse_plain(name: str, text: str, hint: Any) -> Any:
    member = _members(hint)
    if member is not None:
        return None if text == "" else _parse(name, text, member)
    if typing.get_origin(hint) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return _parse_scalar(text, hint)
    except ValueError:
        raise SettingsError(f"{name}={text!r} is not allowed: it must be {_article(_type_name(hint))}") from None


def _parse_scalar(text: str, hint: Any) -> Any:
    if typing.get_origin(hint) is Literal:
        if text not in typing.get_args(hint):
            raise ValueError(text)
        return text
    if hint is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if hint is Path and not text:
        raise ValueError(text)
    value = hint(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(text)
    return value


def _article(type_name: str) -> str:
    return type_name if type_name.startswith(("one of", "text", "true")) else f"a {type_name}"


def _docstrings(cls: type[Any]) -> dict[str, str]:
    """Field name to the bare string under it, base classes included."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        body = typing.cast("ast.ClassDef", tree.body[0]).body
        for statement, following in itertools.pairwise(body):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                docs[statement.target.id] = inspect.cleandoc(str(following.value.value))
    return docs
