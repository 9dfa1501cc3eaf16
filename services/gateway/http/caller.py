"""Who makes an HTTP request: a browser with cookies, or anything else with a bearer token."""

from services.gateway.call.caller import Caller
from services.gateway.call.identity import bearer_of
from services.gateway.domain.cookies import CookieJar, Credentials
from services.gateway.domain.origins import Origins
from services.gateway.http.asgi import Request


class Callers:
    """Reads callers from requests."""

    def __init__(self, jar: CookieJar, origins: Origins) -> None:
        self._jar = jar
        self._origins = origins

    def identify(self, request: Request) -> Caller:
        """The caller. Raises OriginRefused for another site's page.

        A bearer token wins: such a request takes and gets no cookies. A browser is who says so in X-Majlis-Client or
        sends our cookies.
        """
        network, request_id, user_agent = request.network, request.request_id, request.header(b"user-agent")
        bearer = bearer_of(request.header(b"authorization"))
        if bearer is not None:
            return Caller(network, request_id, user_agent, bearer)
        header = request.header(b"cookie")
        credentials = self._jar.read(header) if header is not None else Credentials()
        has_cookies = credentials.access is not None or credentials.refresh is not None
        if not has_cookies and request.header(b"x-majlis-client") != "web":
            return Caller(network, request_id, user_agent)
        self._origins.check(request.method, request.header(b"origin"), request.header(b"sec-fetch-site"))
        return Caller(
            network,
            request_id,
            user_agent,
            credentials.access,
            is_browser=True,
            refresh_token=credentials.refresh,
        )
