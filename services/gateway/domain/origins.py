"""Which pages may use a browser's cookies."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from services.common.text.origin import origin_of
from services.gateway.domain.errors import OriginRefused

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_SAFE_METHODS = ("GET", "HEAD")


class Origins:
    """The public origin, its loopback names in development, and what the operator added."""

    def __init__(self, public_url: str, extra: Iterable[str] = (), ports: Iterable[int] = ()) -> None:
        parts = urlsplit(public_url)
        self._allowed = {origin_of(public_url), *(origin_of(each) for each in extra)}
        if parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"):
            for port in {parts.port or 80, *ports}:
                self._allowed.update(origin_of(f"http://{host}:{port}") for host in _LOCAL_HOSTS)

    def check(self, method: str, origin: str | None, fetch_site: str | None) -> None:
        """Raises OriginRefused unless a request with cookies comes from a page of ours.

        Browsers leave Origin out of same-origin GETs; those change nothing, and Sec-Fetch-Site (W3C Fetch Metadata)
        says where they come from.
        """
        if origin is not None:
            if origin not in self._allowed:
                raise OriginRefused(f"pages of {origin[:100]} may not use this deployment's cookies")
        elif method not in _SAFE_METHODS:
            raise OriginRefused("a request with cookies needs an Origin header")
        elif fetch_site not in (None, "same-origin", "none"):
            raise OriginRefused("another site's page may not use this deployment's cookies")
