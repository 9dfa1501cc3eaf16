"""Writes the Services that give each relay's pod a public port, UDP and TCP: ordinals 0 to the autoscaler's maximum."""

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = ROOT / "k8s" / "components"
SERVICES = COMPONENTS / "relay-ports" / "services.yaml"
_TEMPLATE = """apiVersion: v1
kind: Service
metadata:
  name: media-relay-{ordinal}
spec:
  type: NodePort
  # Packets reach the pod on the node they were sent to, with the address they came from.
  externalTrafficPolicy: Local
  publishNotReadyAddresses: true
  selector: {{statefulset.kubernetes.io/pod-name: media-relay-{ordinal}}}
  ports:
    - {{name: media, port: 8082, targetPort: media, nodePort: {port}, protocol: UDP}}
    - {{name: media-tcp, port: 8082, targetPort: media-tcp, nodePort: {port}, protocol: TCP}}
"""


def _number(path: Path, pattern: str) -> int:
    found = re.search(pattern, path.read_text())
    if found is None:
        raise SystemExit(f"{path.relative_to(ROOT)} has no {pattern}")
    return int(found.group(1))


def maximum() -> int:
    """How many relays there may be, from the autoscaler."""
    return _number(COMPONENTS / "prometheus-adapter" / "autoscaler.yaml", r"maxReplicas: (\d+)")


def first_port() -> int:
    """The node port of ordinal 0, from the patch that tells it to the relays."""
    return _number(COMPONENTS / "relay-ports" / "kustomization.yaml", r'FIRST_MEDIA_PORT, value: "(\d+)"')


def text() -> str:
    first = first_port()
    return "---\n".join(_TEMPLATE.format(ordinal=number, port=first + number) for number in range(maximum()))


def main(arguments: list[str]) -> int:
    """`write` them, or `check` that they are what would be written."""
    parser = argparse.ArgumentParser(prog="python -m tools.relay_ports", description=__doc__)
    parser.add_argument("what", choices=["write", "check"])
    if parser.parse_args(arguments).what == "write":
        SERVICES.write_text(text())
    if not SERVICES.exists() or SERVICES.read_text() != text():
        print(f"{SERVICES.relative_to(ROOT)} is out of date: python -m tools.relay_ports write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
