"""Claims of signed tokens, by the names that the contracts give them (majlis/contract/v1/tokens.proto)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor
from majlis.contract.v1 import tokens_pb2

from services.common.trust.key_ring import KeyRing


@dataclass(frozen=True, slots=True)
class TokenKind:
    """A kind of token: its `typ`, its issuer, and the claim that each of its contract's fields is."""

    type: str
    issuer: str
    names: Mapping[str, str]
    """The claim of each field."""

    @classmethod
    def of(cls, message: Descriptor) -> "TokenKind":
        """The kind whose claims a message of the contracts names."""
        token = message.GetOptions().Extensions[tokens_pb2.token]
        if not (token.type and token.issuer):
            raise ValueError(f"{message.full_name} is no kind of token")
        return cls(token.type, token.issuer, {field.name: field.json_name for field in message.fields})

    def claims(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Values by the names of their claims, with the issuer."""
        return {self.names["issuer"]: self.issuer, **{self.names[field]: value for field, value in fields.items()}}

    def fields(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the claims that the contract names, by its fields."""
        return {field: claims[name] for field, name in self.names.items() if name in claims}


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Signs tokens of one kind."""

    kind: TokenKind
    ring: KeyRing

    def sign(self, fields: Mapping[str, Any]) -> str:
        """A token with these values, given by the contract's fields."""
        return self.ring.sign(self.kind.claims(fields), self.kind.type)


ACCESS = TokenKind.of(tokens_pb2.AccessClaims.DESCRIPTOR)
