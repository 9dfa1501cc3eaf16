"""What the private port of a service shows."""

import asyncio
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from services.common.net import PortTaken
from services.common.sight.metrics import Metrics
from services.common.version import VERSION


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
async def metrics() -> AsyncIterator[Metrics]:
    made = Metrics("oven")
    yield made
    await made.stop()


async def test_counts_are_served_with_those_of_the_process(metrics: Metrics) -> None:
    metrics.counter("majlis_pizzas_total", "Pizzas baked.", ("kind",)).labels("plain").inc(3)
    port = await metrics.serve("127.0.0.1:0")
    status, text = await asyncio.to_thread(get, port, "/metrics")
    assert status == 200
    assert 'majlis_pizzas_total{kind="plain"} 3.0' in text
    assert "process_open_fds" in text


async def test_readiness_says_what_it_waits_for(metrics: Metrics) -> None:
    port = await metrics.serve("127.0.0.1:0")
    status, text = await asyncio.to_thread(get, port, "/readyz")
    assert (status, json.loads(text)["waiting_for"]) == (503, ["serving"])
    metrics.ready = True
    assert (await asyncio.to_thread(get, port, "/readyz"))[0] == 200


async def test_liveness_depends_on_nothing_else(metrics: Metrics) -> None:
    port = await metrics.serve("127.0.0.1:0")
    assert (await asyncio.to_thread(get, port, "/healthz"))[0] == 200


async def test_a_stuck_event_loop_is_still_reported(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.sight.metrics._BEAT_SECONDS", 0.01)
    monkeypatch.setattr("services.common.sight.metrics._STUCK_AFTER_SECONDS", 0.2)
    monkeypatch.setattr("services.common.sight.metrics._NOT_READY_AFTER_SECONDS", 0.2)
    port = await metrics.serve("127.0.0.1:0")
    metrics.ready = True
    assert (await asyncio.to_thread(get, port, "/readyz"))[0] == 200
    seen: list[tuple[int, str]] = []
    prober = threading.Timer(0.5, lambda: seen.extend(get(port, path) for path in ("/healthz", "/readyz", "/metrics")))
    prober.start()
    prober.join()  # the loop is to be stuck
    (alive, _), (ready, waiting), (_, numbers) = seen
    assert (alive, ready) == (503, 503)
    assert json.loads(waiting)["waiting_for"] == ["event loop"]
    late = next(line for line in numbers.splitlines() if line.startswith("majlis_event_loop_stalled_seconds "))
    assert float(late.split()[1]) > 0.2
    for _ in range(500):
        if metrics.loop_is_alive() and not metrics.not_ready():
            break
        await asyncio.sleep(0.01)
    assert (await asyncio.to_thread(get, port, "/readyz"))[0] == 200


async def test_who_asks_for_openmetrics_gets_it_and_others_get_the_classic_text(metrics: Metrics) -> None:
    metrics.histogram("majlis_baking_seconds", "Time in the oven.").observe(0.3, {"trace_id": "0af7651916cd43dd"})
    port = await metrics.serve("127.0.0.1:0")
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with await asyncio.to_thread(urllib.request.urlopen, request, None, 5) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        text = answer.read().decode()
    assert 'le="0.5"} 1.0 # {trace_id="0af7651916cd43dd"} 0.3' in text
    assert text.endswith("# EOF\n")
    assert "trace_id" not in (await asyncio.to_thread(get, port, "/metrics"))[1]


async def test_a_process_tells_its_version_and_that_it_drains(metrics: Metrics) -> None:
    def draining() -> float | None:
        return metrics.registry.get_sample_value("majlis_draining")

    assert metrics.registry.get_sample_value("majlis_build_info", {"service": "oven", "version": VERSION}) == 1
    assert draining() == 0
    metrics.ready = True
    assert draining() == 0
    metrics.ready = False
    assert draining() == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/else"])
async def test_probes_may_ask_without_wanting_the_body_and_for_what_is_allowed(metrics: Metrics, path: str) -> None:
    port = await metrics.serve("127.0.0.1:0")

    def ask(method: str) -> tuple[int, str, bytes, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request(method, path)
        answer = connection.getresponse()
        told = (answer.status, answer.getheader("Allow", ""), answer.read(), answer.getheader("Content-Length", ""))
        connection.close()
        return told

    got = await asyncio.to_thread(ask, "GET")
    status, _, body, length = await asyncio.to_thread(ask, "HEAD")
    assert (status, body) == (got[0], b"")
    assert int(length) > 0
    assert (await asyncio.to_thread(ask, "OPTIONS"))[:3] == (204, "GET, HEAD, OPTIONS", b"")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await asyncio.to_thread(ask, method))[:2] == (405, "GET, HEAD, OPTIONS")


async def test_an_unknown_path_is_answered_with_the_known_ones(metrics: Metrics) -> None:
    status, text = await asyncio.to_thread(get, await metrics.serve("127.0.0.1:0"), "/else")
    assert status == 404
    assert "/metrics" in text


async def test_a_taken_port_is_named(metrics: Metrics) -> None:
    port = await metrics.serve("127.0.0.1:0")
    with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
        await Metrics("other").serve(f"127.0.0.1:{port}")
