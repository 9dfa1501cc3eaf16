"""A process that traces nothing carries nothing of it."""

import subprocess
import sys
from pathlib import Path


def test_without_an_endpoint_nothing_is_loaded_and_nothing_is_traced(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret for tests only")
    program = f"""
import sys
from pathlib import Path
from services.common.sight import tracing
from services.common.sight.metrics import Metrics
from services.common.sight.trace_start import start_tracing
from services.common.settings import ServiceSettings
import services.common.rpc.server, services.common.bus.client, services.common.rpc.client
start_tracing("oven", ServiceSettings(service_secret_file=Path({str(secret)!r})), Metrics("oven"))
with tracing.begin("bake") as span, tracing.call("fetch") as inner:
    span.note("size", 3)
    assert inner is span is tracing.NOTHING
    assert (tracing.traceparent(), tracing.trace_id(), tracing.exemplar()) == ("", "", None)
assert not [name for name in sys.modules if name.startswith("opentelemetry.sdk") or "otlp" in name]
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
