"""Entry point of the images: replaces itself with the service that the image was built for."""

import os
import sys

SERVICE = os.environ["MAJLIS_SERVICE"]

if SERVICE == "media_relay" and "POD_NAME" in os.environ:
    # Ids have no hyphens; a StatefulSet's pod keeps its name, so its relay keeps its id.
    os.environ.setdefault("MEDIA_RELAY_RELAY_ID", os.environ["POD_NAME"].replace("-", ""))

os.execv(sys.executable, [sys.executable, "-m", f"services.{SERVICE}", *sys.argv[1:]])  # noqa: S606 - no shell wanted
