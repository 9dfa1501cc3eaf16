"""Who makes an HTTP request: a browser with cookies, or anything else with a bearer token."""

from dataclasses import dataclass

from services.common.rpc.caller import AUTHORIZATION, FORWARDED_NETWORK, REQUEST_ID
from services.gateway.call.forwarder import Metadata
from services.gateway.call.identity import Identities, bearer_of
from services.gateway.domain.cookies import CookieJar, Credentials
from services.gateway.domain.origins import Origins
from services.gateway.http.asgi import Request

FORWARDED_USER_AGENT = "x-forwarded-user-agent"
_LONGEST_USER_AGENT = 256


@dataclass(frozen=True, slots=True)
class HttpCaller:
    """What is known of a request's maker before anything is verified."""

    is_browser: bool
    """Credentials go into cookies, not into bodies."""
    access_token: str | None
    refresh_token: str | None


class Callers:
    """Reads callers from requests."""

    def __init__(self, identities: Identities, jar: CookieJar, origins: Origins) -> None:
        self._identities = identities
        self._jar = jar
        self._origins = origins

    async def identify(self, request: Request) -> HttpCaller:
        """The caller. Raises OriginRefused for another site's page, NotSignedIn for a token that cannot be one.

        A bearer token wins: such a request takes and gets no cookies. A browser is who says so in X-Majlis-Client or
        sends our cookies.
        """
        bearer = bearer_of(request.header(b"authorization"))
        if bearer is not None:
            token = await self._identities.access_token(bearer, request.network)
            return HttpCaller(False, token, None)
        header = request.header(b"cookie")
        credentials = self._jar.read(header) if header is not None else Credentials()
        has_cookies = credentials.access is not None or credentials.refresh is not None
        if not has_cookies and request.header(b"x-majlis-client") != "web":
            return HttpCaller(False, None, None)
        self._origins.check(request.method, request.header(b"origin"), request.header(b"sec-fetch-site"))
        access = credentials.access
        if access is not None:
            access = await self._identities.access_token(access, request.network)
        return HttpCaller(True, access, credentials.refresh)


def metadata_for(request: Request, access_token: str | None) -> Metadata:
    """What the owning service is told of the caller."""
    metadata = [
        (REQUEST_ID, request.request_id),
        (FORWARDED_NETWORK, request.network),
        (FORWARDED_USER_AGENT, harmless(request.header(b"user-agent"))),
    ]
    if access_token is not None:
        metadata.append((AUTHORIZATION, f"Bearer {access_token}"))
    return tuple(metadata)


def harmless(text: str | None) -> str:
    """Text as gRPC metadata may carry it: printable ASCII of bounded length."""
    short = (text or "")[:_LONGEST_USER_AGENT]
    if short.isascii() and short.isprintable():
        return short
    return "".join(char for char in short if " " <= char <= "~")
