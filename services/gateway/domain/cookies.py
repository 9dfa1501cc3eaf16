"""How a browser's credentials are kept: names, reach and life of the two cookies."""

from dataclasses import dataclass

ACCESS_LIFE_SECONDS = 3600
"""Longer than an access token's ten minutes: an expired token tells the client to refresh, a missing one does not."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The two tokens; None where there is none."""

    access: str | None = None
    refresh: str | None = None


@dataclass(frozen=True, slots=True)
class CookieJar:
    """The cookies of one origin (RFC 6265bis: the prefixes bind a cookie to https and, for __Host-, to the host).

    `refresh_path` is the one path a browser sends the refresh token to.
    """

    secure: bool
    refresh_path: str
    refresh_life_seconds: int

    @property
    def access_name(self) -> str:
        """Bound to https and the host where there is https."""
        return "__Host-majlis_access" if self.secure else "majlis_access"

    @property
    def refresh_name(self) -> str:
        """Not __Host-, which would demand the path "/"."""
        return "__Secure-majlis_refresh" if self.secure else "majlis_refresh"

    def read(self, header: str) -> Credentials:
        """The credentials in a Cookie header; of a cookie sent twice, neither."""
        found: dict[str, str | None] = {}
        for part in header.split(";"):
            name, equals, value = part.strip().partition("=")
            if equals and value and name in (self.access_name, self.refresh_name):
                found[name] = None if name in found else value
        return Credentials(found.get(self.access_name), found.get(self.refresh_name))

    def write(self, credentials: Credentials) -> list[str]:
        """Set-Cookie values that keep these credentials; an empty text removes its cookie, None leaves it alone."""
        cookies = []
        if credentials.access is not None:
            life = ACCESS_LIFE_SECONDS if credentials.access else 0
            cookies.append(self._cookie(self.access_name, credentials.access, "/", life))
        if credentials.refresh is not None:
            life = self.refresh_life_seconds if credentials.refresh else 0
            cookies.append(self._cookie(self.refresh_name, credentials.refresh, self.refresh_path, life))
        return cookies

    def clear(self) -> list[str]:
        """Set-Cookie values that remove both."""
        return self.write(Credentials("", ""))

    def _cookie(self, name: str, value: str, path: str, life_seconds: int) -> str:
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Path={path}; Max-Age={life_seconds}; HttpOnly; SameSite=Lax{secure}"
