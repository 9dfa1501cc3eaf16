"""The addresses of the web client: which paths are pages. `web/src/lib/router.svelte.ts` knows the same ones."""

import re

from services.common.text.pasted import tidy

PAGES = {
    "hallway": r"/",
    "invitations": r"/invitations",
    "profile": r"/profile",
    "console": r"/console",
    "reach": r"/reach",
    "setup": r"/setup",
    "sign-in": r"/sign-in",
    "room": r"/r/([a-z0-9]{10,32})",
    "invitation": r"/i/([A-Za-z0-9_-]{8,64})",
}
_COMPILED = tuple((name, re.compile(pattern)) for name, pattern in PAGES.items())


def page_of(path: str) -> tuple[str, str]:
    """The page a decoded path stands for and the id or code in it; ("missing", "") for what is none."""
    tidied = tidied_path(path)
    for name, pattern in _COMPILED:
        found = pattern.fullmatch(tidied)
        if found is not None:
            return name, found.group(1) if pattern.groups else ""
    return "missing", ""


def tidied_path(path: str) -> str:
    """The path without what the sentence around a link left at its end, and without a slash there."""
    parts = path.split("/")
    while len(parts) > 1:
        parts[-1] = tidy(parts[-1])
        if parts[-1]:
            break
        parts.pop()
    return "/".join(parts) or "/"
