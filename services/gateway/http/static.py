"""The web client's files, held in memory: immutable assets, and the page for every address of the client."""

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

from services.gateway.http.asgi import Header, Request, Response, method_not_allowed
from services.gateway.http.negotiation import is_current, preferred
from services.gateway.http.pages import page_of
from services.gateway.settings import Settings

_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_LARGEST_FILE_BYTES = 8 * 1024 * 1024
_MOST_FILES = 2000
_HSTS: Header = (b"strict-transport-security", b"max-age=31536000")

_FRAMES = ("/index.html", "/embed.html")
"""Files that are shown at other addresses than their own."""
_EMBED = re.compile(r"/embed/[a-z0-9]{10,32}/?")
_MISSING_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Majlis</title>
<h1>The web client is not built</h1>
<p>The server runs, but its folder with the web client is empty.</p>
<p>Build it with <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>,
or start everything with <code>make run</code>; then reload this page.</p></html>"""


@dataclass(frozen=True, slots=True)
class File:
    """One file and its compressed forms."""

    content_type: bytes
    etag: bytes
    body: bytes
    encoded: dict[str, bytes]


def security_headers(*, is_secure: bool) -> tuple[Header, ...]:
    """What every response carries."""
    headers: list[Header] = [(b"x-content-type-options", b"nosniff")]
    if is_secure:
        headers.append(_HSTS)
    return tuple(headers)


def page_headers(trusted_types: tuple[str, ...], *, framed: bool = False) -> list[Header]:
    """What keeps a page of ours from running or loading anything that is not ours.

    `framed`: other sites may show it, and it has no way to a microphone.
    """
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors "
    )
    policy += "*" if framed else "'none'"
    if trusted_types:
        policy += f"; require-trusted-types-for 'script'; trusted-types {' '.join(trusted_types)}"
    return [
        (b"content-security-policy", policy.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"cross-origin" if framed else b"same-origin"),
        (b"referrer-policy", b"no-referrer"),
        (
            b"permissions-policy",
            b"microphone=%b, camera=(), geolocation=(), payment=(), usb=()" % (b"()" if framed else b"(self)"),
        ),
    ]


class StaticSite:
    """Serves the built client: its files, and its page for every address; 404 where the client has nothing either."""

    def __init__(self, settings: Settings) -> None:
        self._directory = settings.web_directory
        self._page_headers = page_headers(settings.trusted_types_policies)
        self._framed_headers = page_headers(settings.trusted_types_policies, framed=True)
        self._built_at = -1
        self._files: dict[str, File] = {}

    def __call__(self, request: Request) -> Response:
        """The response for GET and HEAD."""
        if request.method not in ("GET", "HEAD"):
            return method_not_allowed("GET", "HEAD")
        self._load_when_changed()
        if _EMBED.fullmatch(request.path):
            return self._page(request, "/embed.html", self._framed_headers)
        file = self._files.get(request.path)
        if file is not None and request.path not in _FRAMES:
            return self._answer(request, file, self._page_headers, is_asset=request.path.startswith("/assets/"))
        is_page = request.path == "/index.html" or page_of(request.path)[0] != "missing"
        if not is_page and _asks_for_file(request):
            return Response(404, [(b"content-type", b"text/plain; charset=utf-8")], b"no such file\n")
        # An unknown address has a page as well: it says so, in the person's language.
        return self._page(request, "/index.html", self._page_headers, status=200 if is_page else 404)

    def with_head(self, request: Request, tags: str) -> Response:
        """The client's page with more tags in its head."""
        plain = self(request)
        page = self._files.get("/index.html")
        if page is None:
            return plain
        headers = [(b"content-type", page.content_type), (b"cache-control", b"no-cache"), *self._page_headers]
        return Response(200, headers, page.body.replace(b"</head>", tags.encode() + b"</head>", 1))

    def _page(self, request: Request, name: str, own: list[Header], *, status: int = 200) -> Response:
        page = self._files.get(name)
        if page is None:
            headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
            return Response(503, [*headers, *own], _MISSING_PAGE.encode())
        return self._answer(request, page, own, is_asset=False, status=status)

    def _answer(
        self, request: Request, file: File, own: list[Header], *, is_asset: bool, status: int = 200
    ) -> Response:
        cache = b"public, max-age=31536000, immutable" if is_asset else b"no-cache"
        coding = preferred(request.header(b"accept-encoding"), tuple(file.encoded))
        # One tag for each coding: their bytes differ (RFC 9110 §8.8.3).
        etag = file.etag if coding is None else b'%s-%s"' % (file.etag[:-1], coding.encode())
        headers: list[Header] = [(b"cache-control", cache), (b"etag", etag), (b"vary", b"accept-encoding")]
        headers.extend(own)
        if status == 200 and is_current(request.header(b"if-none-match"), etag.decode()):
            return Response(304, headers)
        headers.append((b"content-type", file.content_type))
        if coding is None:
            return Response(status, headers, file.body)
        return Response(status, [*headers, (b"content-encoding", coding.encode())], file.encoded[coding])

    def _load_when_changed(self) -> None:
        """Reads the folder at first, and again when a build replaced the page."""
        try:
            built_at = (self._directory / "index.html").stat().st_mtime_ns
        except OSError:
            built_at = 0
        if built_at != self._built_at:
            self._built_at = built_at
            self._files = read_site(self._directory) if built_at else {}


def _asks_for_file(request: Request) -> bool:
    """Whether a script, style or picture is asked for rather than a page: whoever loads one has no use for a page."""
    if request.path.startswith("/assets/"):
        return True
    return "." in request.path.rpartition("/")[2] and "text/html" not in (request.header(b"accept") or "")


def read_site(directory: Path) -> dict[str, File]:
    """Every file of a folder by its path on the origin, with the compressed forms that lie beside it."""
    files: dict[str, File] = {}
    suffixes = tuple(suffix for _, suffix in _ENCODINGS)
    for path in sorted(directory.rglob("*"))[:_MOST_FILES]:
        if not path.is_file() or path.name.endswith(suffixes) or path.stat().st_size > _LARGEST_FILE_BYTES:
            continue
        encoded = {
            name: path.with_name(path.name + suffix).read_bytes()
            for name, suffix in _ENCODINGS
            if path.with_name(path.name + suffix).is_file()
        }
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'.encode()
        files["/" + path.relative_to(directory).as_posix()] = File(_content_type(path), etag, body, encoded)
    return files


def _content_type(path: Path) -> bytes:
    if path.suffix == ".webmanifest":
        return b"application/manifest+json"
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if guessed.startswith("text/") or guessed in ("application/javascript", "image/svg+xml"):
        guessed += "; charset=utf-8"
    return guessed.encode()
