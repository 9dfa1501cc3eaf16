"""Health check of the images: asks the service's private port whether its loop still turns."""

import os
import sys
import urllib.request

service = os.environ["MAJLIS_SERVICE"].upper()
listen = os.environ.get(f"{service}_METRICS_LISTEN", "127.0.0.1:9100")
port = listen.rsplit(":", 1)[1]

with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
    sys.exit(0 if answer.status == 200 else 1)
