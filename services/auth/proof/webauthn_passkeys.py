"""The WebAuthn ceremonies, by the library that knows their formats."""

from collections.abc import Sequence

import webauthn
from webauthn.helpers import base64url_to_bytes, options_to_json, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from services.auth.app.ports import NewPasskey
from services.auth.domain.account import Account, Passkey, check_counter
from services.auth.domain.errors import PasskeyInvalid

_CEREMONY_MILLISECONDS = 300_000


class WebAuthnPasskeys:
    """Passkeys of the relying party `host`, used from pages of `origin`; both come from the public URL."""

    def __init__(self, host: str, origin: str, deployment: str) -> None:
        self._host = host
        self._origin = origin
        self._deployment = deployment

    def registration_options(self, account: Account, existing: Sequence[Passkey], challenge: bytes) -> str:
        """PublicKeyCredentialCreationOptionsJSON: a discoverable passkey that is not on this authenticator yet."""
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name=self._deployment,
            user_id=account.user_id.encode(),
            user_name=account.handle,
            user_display_name=account.display_name,
            challenge=challenge,
            timeout=_CEREMONY_MILLISECONDS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in existing],
        )
        return options_to_json(options)

    def check_registration(self, credential_json: str, challenge: bytes) -> NewPasskey:
        """The passkey, when the answer to the challenge verifies. Raises PasskeyInvalid."""
        try:
            found = webauthn.verify_registration_response(
                credential=credential_json,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise PasskeyInvalid(f"the passkey's answer does not verify: {error}") from error
        return NewPasskey(found.credential_id, found.credential_public_key, found.sign_count)

    def sign_in_options(self, challenge: bytes) -> str:
        """PublicKeyCredentialRequestOptionsJSON for discoverable credentials."""
        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=challenge,
            timeout=_CEREMONY_MILLISECONDS,
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return options_to_json(options)

    def credential_id(self, credential_json: str) -> bytes:
        """Which passkey an answer claims to be from. Raises PasskeyInvalid."""
        try:
            return base64url_to_bytes(parse_authentication_credential_json(credential_json).id)
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise PasskeyInvalid("the passkey's answer cannot be read") from error

    def check_sign_in(self, credential_json: str, challenge: bytes, passkey: Passkey) -> int:
        """The authenticator's new counter, when the answer verifies. Raises PasskeyInvalid or PasskeyCopied."""
        try:
            answer = parse_authentication_credential_json(credential_json)
            # Safari sends an empty one: the credential's id alone says whose it is then.
            claimed = answer.response.user_handle
            if claimed and claimed != passkey.user_id.encode():
                raise PasskeyInvalid("the passkey names another account")
            found = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError) as error:
            raise PasskeyInvalid(f"the passkey's answer does not verify: {error}") from error
        check_counter(passkey.sign_count, found.new_sign_count)
        return found.new_sign_count
