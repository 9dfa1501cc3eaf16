"""Builds and reads subjects from the templates that the contract's event messages carry."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message
from majlis.contract.v1 import options_pb2

_ID = re.compile(r"[a-z0-9]{10,32}\Z")
_CHANNEL = re.compile(r"[a-z0-9][a-z0-9-]{0,30}[a-z0-9]\Z")
_FIELD = re.compile(r"\{([a-z0-9_]+)\}\Z")
_LITERAL = re.compile(r"[a-z0-9_]+\Z")


class SubjectError(ValueError):
    """An event has no subject template, or a value that may not be part of a subject."""


@dataclass(frozen=True, slots=True)
class SubjectTemplate:
    """One template: tokens that are literals, or names of the fields that fill them."""

    tokens: tuple[str, ...]
    fields: Mapping[int, str]
    """Position of each field in the subject."""

    def fill(self, ids: Mapping[str, str]) -> str:
        """The subject for these ids. Raises SubjectError when one is missing, unknown or has a form not allowed."""
        self._refuse_unknown(ids)
        return ".".join(
            _checked(self.fields[at], ids.get(self.fields[at], "")) if at in self.fields else token
            for at, token in enumerate(self.tokens)
        )

    def filter(self, ids: Mapping[str, str]) -> str:
        """The subject to subscribe to: an id that is not given matches any."""
        self._refuse_unknown(ids)
        parts = []
        for at, token in enumerate(self.tokens):
            name = self.fields.get(at)
            if name is None:
                parts.append(token)
            else:
                parts.append(_checked(name, ids[name]) if name in ids else "*")
        return ".".join(parts)

    def read(self, subject: str) -> dict[str, str] | None:
        """The ids in a subject, or None when it does not fit the template."""
        tokens = subject.split(".")
        if len(tokens) != len(self.tokens):
            return None
        if any(at not in self.fields and token != tokens[at] for at, token in enumerate(self.tokens)):
            return None
        return {name: tokens[at] for at, name in self.fields.items()}

    def _refuse_unknown(self, ids: Mapping[str, str]) -> None:
        unknown = set(ids) - set(self.fields.values())
        if unknown:
            raise SubjectError(f"{'.'.join(self.tokens)} has no field {min(unknown)}")


_templates: dict[str, SubjectTemplate] = {}


def template_of(event_type: type[Message]) -> SubjectTemplate:
    """The template in an event message's option. Raises SubjectError when there is none or it is malformed."""
    name = event_type.DESCRIPTOR.full_name
    template = _templates.get(name)
    if template is None:
        text = event_type.DESCRIPTOR.GetOptions().Extensions[options_pb2.subject]
        template = _templates[name] = _parse(name, text)
    return template


def _parse(name: str, text: str) -> SubjectTemplate:
    if not text:
        raise SubjectError(f"{name} has no (majlis.contract.v1.subject) option")
    tokens = tuple(text.split("."))
    fields: dict[int, str] = {}
    for at, token in enumerate(tokens):
        field = _FIELD.match(token)
        if field is not None:
            fields[at] = field.group(1)
        elif not _LITERAL.match(token):
            raise SubjectError(f"{name}: {token!r} cannot be part of a subject")
    return SubjectTemplate(tokens, fields)


def ids_of(event: Message) -> dict[str, str]:
    """The ids an event carries in the fields its template names."""
    return {name: str(getattr(event, name)) for name in template_of(type(event)).fields.values()}


def common_filter(event_types: Iterable[type[Message]], ids: Mapping[str, str]) -> str | None:
    """One subject filter that covers several event types, when they differ in nothing but their last token.

    One subscription keeps their order, which several would not.
    """
    filters = {template_of(event_type).filter(ids) for event_type in event_types}
    stems = {text.rpartition(".")[0] for text in filters}
    if len(filters) == 1:
        return filters.pop()
    return f"{stems.pop()}.*" if len(stems) == 1 else None


def _checked(name: str, value: str) -> str:
    form = _CHANNEL if name == "channel" else _ID
    if not form.match(value):
        raise SubjectError(f"{name}={value!r} may not be part of a subject: it must be {form.pattern[:-2]}")
    return value
