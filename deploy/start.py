"""Entry point of the images: replaces itself with the service that the image was built for."""

import os
import sys

SERVICE = os.environ["MAJLIS_SERVICE"]

os.execv(sys.executable, [sys.executable, "-m", f"services.{SERVICE}", *sys.argv[1:]])  # noqa: S606 - no shell wanted
