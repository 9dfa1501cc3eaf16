"""What an operator sees of what people do: traces, ids in log lines, exemplars; and what nobody may see."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import yaml
from majlis_client import Client, FixedToken
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ops.nats_config import SERVICES
from tests.support.otlp_receiver import OtlpReceiver, Span, receiving
from tests.support.prometheus_server import Prometheus, scraping
from tests.support.stack import ROOT, Stack
from tools.metric_names import read_by

ADDRESS = "203.0.113.77"
DEVICE = "Seedphone/7"
EMAIL = "seed.person@example.org"
OFFER = ROOT / "tests" / "support" / "offers" / "chromium_listener.sdp"
STRANGE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
SIGN_IN, ACCOUNT, TOKENS = "auth.v1.SignInService", "auth.v1.AccountService", "auth.v1.PersonalTokenService"
INVITE, ROOMS = "invite.v1.InviteService", "room_directory.v1.RoomService"
STAGE, MODERATION = "room_directory.v1.StageService", "room_directory.v1.ModerationService"


@dataclass
class Story:
    """What people did, and every private thing they said or were given on the way."""

    stack: Stack
    receiver: OtlpReceiver
    private: dict[str, str] = field(default_factory=lambda: {"address": ADDRESS, "device": DEVICE, "e-mail": EMAIL})
    request_ids: dict[str, str] = field(default_factory=dict)
    room_id: str = ""

    def keep(self, what: str, text: str) -> str:
        assert len(text) >= 6
        self.private[what] = text
        return text

    async def ask(self, method: str, path: str, token: str = "", **how: Any) -> httpx.Response:
        """A request as it comes through a proxy."""
        headers = {"X-Forwarded-For": ADDRESS, "User-Agent": DEVICE, **how.pop("headers", {})}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with httpx.AsyncClient(base_url=self.stack.url) as client:
            return await client.request(method, path, headers=headers, **how)

    async def rpc(self, service: str, method: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        answer = await self.ask("POST", f"/majlis.{service}/{method}", token, json=body)
        assert answer.is_success, answer.text
        self.request_ids[method] = answer.headers["x-request-id"]
        result: dict[str, Any] = answer.json()
        return result

    async def is_refused(self, service: str, method: str, body: dict[str, Any], token: str = "") -> None:
        answer = await self.ask("POST", f"/majlis.{service}/{method}", token, json=body)
        assert 400 <= answer.status_code < 500, answer.text

    def keep_tokens(self, whose: str, made: dict[str, Any]) -> str:
        self.keep(f"refresh token of {whose}", made["tokens"]["refreshToken"])
        return self.keep(f"access token of {whose}", made["tokens"]["accessToken"])

    async def until_traced(self, name: str, complete: Callable[[list[Span]], bool]) -> list[Span]:
        """The trace that begins with `name`, once it has what is asked for."""
        found: list[Span] = []
        for _ in range(150):
            found = self.receiver.begun_by(name)
            if found and complete(found):
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(f"{name}: {[span.step for span in found]}")

    def log(self, part: str) -> str:
        return (self.stack.state / "log" / f"{part}.log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for part in SERVICES for line in self.log(part).splitlines()]


async def arrive(story: Story) -> tuple[str, str]:
    """The owner sets the house up and invites a friend, who comes in; returns their access tokens."""
    profile = {"handle": story.keep("handle", "seedowner_h"), "displayName": story.keep("name", "Seedina Ownerova")}
    link = story.keep("owner link", story.stack.owner_link.partition("#")[2])
    owner = story.keep_tokens("owner", await story.rpc(SIGN_IN, "SetUpOwner", {"token": link, "profile": profile}))
    request = {"requestId": secrets.token_hex(16), "note": story.keep("note", "Seednote for an old friend")}
    made = await story.rpc(INVITE, "CreateInvitation", request, owner)
    url = made["invitation"]["url"]
    code = story.keep("invitation code", url.rsplit("/", 1)[1])
    assert (await story.ask("GET", httpx.URL(url).path)).is_success
    await story.rpc(INVITE, "GetInvitation", {"code": code})
    profile = {
        "handle": story.keep("guest's handle", "seedguest_h"),
        "displayName": story.keep("guest's name", "\u0645\u062c\u0644\u0633\u064a \u0632\u0627\u0626\u0631"),
    }
    redemption = {"code": code, "requestId": secrets.token_hex(16), "profile": profile}
    return owner, story.keep_tokens("guest", await story.rpc(INVITE, "RedeemInvitation", redemption))


async def sign_in_by_mail(story: Story, owner: str) -> None:
    """The owner gives an address and signs in with it, once wrongly."""

    async def code_of(challenge: dict[str, Any], number: int) -> dict[str, str]:
        folder = story.stack.state / "mail"
        for _ in range(100):
            if folder.exists() and len(list(folder.glob("*.json"))) >= number:
                break
            await asyncio.sleep(0.05)
        newest = max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        (code,) = re.findall(r"\b[0-9]{6}\b", json.loads(newest.read_text())["text"])
        story.keep(f"code {number}", code)
        return {"challengeId": challenge["challengeId"], "code": code}

    challenge = await story.rpc(ACCOUNT, "StartEmailChange", {"email": EMAIL}, owner)
    await story.rpc(ACCOUNT, "FinishEmailChange", await code_of(challenge, 1), owner)
    challenge = await story.rpc(SIGN_IN, "StartEmailSignIn", {"email": EMAIL})
    answer = await code_of(challenge, 2)
    wrong = story.keep("wrong code", f"{(int(answer['code']) + 1) % 10**6:06}")
    await story.is_refused(SIGN_IN, "FinishEmailSignIn", {**answer, "code": wrong})
    story.keep_tokens("owner by mail", await story.rpc(SIGN_IN, "FinishEmailSignIn", answer))


async def be_refused(story: Story, owner: str) -> None:
    """What people get wrong is as private as what they get right."""
    await story.is_refused(INVITE, "GetInvitation", {"code": story.keep("invented code", "SEEDWRONGCODE9")})
    await story.is_refused(SIGN_IN, "StartEmailSignIn", {"email": story.keep("no e-mail", "seed.nobody-example")})
    await story.is_refused(ACCOUNT, "UpdateProfile", {"handle": story.keep("no handle", "seed bad handle!")}, owner)
    await story.is_refused(ACCOUNT, "GetMe", {}, story.keep("invented token", "seedtoken.invented.nonsense"))
    await story.ask("POST", f"/majlis.{ACCOUNT}/GetMe", owner, json={}, headers={"traceparent": STRANGE})
    sealed = story.keep("sealed permit", "seedsealed0permit0000")
    await story.ask("DELETE", f"/media/relay00000001/session000000001/{sealed}", owner)
    await story.ask("GET", f"/nothing/{story.keep('path', 'seedpath-nowhere')}")
    await story.ask(
        "POST", f"/majlis.{ACCOUNT}/GetMe", content='{"seedbroken": ', headers={"Content-Type": "application/json"}
    )


async def until_hand_is_up(client: Client, room_id: str) -> None:
    async for event in client.watch(room_id):
        if event.HasField("hand_raised") or event.hand_queue.hands:
            return


async def meet(story: Story, owner: str, guest: str) -> None:
    """They meet in a room; the guest listens, asks, and is reported."""
    title = {"requestId": secrets.token_hex(16), "language": "en", "title": story.keep("title", "Seedtitle of it all")}
    made = await story.rpc(ROOMS, "CreateRoom", title, owner)
    room = {"roomId": made["room"]["roomId"]}
    story.room_id = room["roomId"]
    token = await story.rpc(TOKENS, "CreatePersonalToken", {"label": "Seedlabel", "scopes": ["listen"]}, guest)
    personal = story.keep("personal token", token["personalToken"])
    headers = {"Content-Type": "application/sdp"}
    joined = await story.ask("POST", f"/whep/{story.room_id}", personal, content=OFFER.read_text(), headers=headers)
    assert joined.status_code == 201, joined.text
    story.request_ids["whep"] = joined.headers["x-request-id"]
    story.keep("sealed permit of the session", joined.headers["location"].rsplit("/", 1)[1])
    question = {**room, "question": story.keep("question", "Seedquestion: will it rain tomorrow?")}
    async with await Client.connect(story.stack.url, FixedToken(owner)) as client, asyncio.TaskGroup() as both:
        watching = both.create_task(until_hand_is_up(client, story.room_id))
        for _ in range(200):
            if "majlis_gateway_streams_open 1.0" in story.stack.metrics("gateway"):
                break
            await asyncio.sleep(0.05)
        await story.rpc(STAGE, "RaiseHand", question, guest)
        await watching
    me = await story.rpc(ACCOUNT, "GetMe", {}, owner)
    report = {"userId": me["account"]["profile"]["userId"], "kind": "REPORT_KIND_ABUSE", **room}
    await story.rpc(
        MODERATION, "ReportPerson", {**report, "text": story.keep("report", "Seedreport: he shouts")}, guest
    )
    assert (await story.ask("DELETE", joined.headers["location"], personal)).is_success
    await story.rpc(ROOMS, "EndRoom", room, owner)


async def play(stack: Stack, receiver: OtlpReceiver) -> Story:
    story = Story(stack, receiver)
    async with asyncio.timeout(60):
        owner, guest = await arrive(story)
        await sign_in_by_mail(story, owner)
        await be_refused(story, owner)
        await meet(story, owner, guest)
    for secret in (stack.state / "secrets").iterdir():
        story.keep(f"secret {secret.name}", secret.read_text().strip())
    return story


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A system that traces everything, logs everything, and has had an eventful day."""
    with receiving() as receiver:
        levels = {f"{service.upper()}_LOG_LEVEL": "debug" for service in SERVICES}
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, **levels}
        arguments = ["--trusted-proxies", "127.0.0.0/8", "--log-format", "json"]
        stack = Stack(tmp_path_factory.mktemp("seen"), arguments, env=env)
        asyncio.run(stack.start())
        try:
            yield asyncio.run(play(stack, receiver))
        finally:
            assert asyncio.run(stack.stop()) == 0, stack.output[-3000:]


def steps(trace: list[Span]) -> set[tuple[str, str, str]]:
    return {span.step for span in trace}


def is_one_tree(trace: list[Span]) -> bool:
    ids = {span.span_id for span in trace}
    return sum(not span.parent_id for span in trace) == 1 and all(s.parent_id in ids for s in trace if s.parent_id)


async def test_joining_is_one_trace_from_the_public_origin_to_the_relay(story: Story) -> None:
    wanted = {
        ("gateway", "server", "POST /whep"),
        ("gateway", "client", "PersonalTokenService/ExchangePersonalToken"),
        ("auth", "server", "PersonalTokenService/ExchangePersonalToken"),
        ("room_directory", "server", "RoomService/JoinRoom"),
        ("room_directory", "server", "RoomService/GetMediaPermit"),
        ("gateway", "client", "MediaRelayService/CreateSession"),
        ("media_relay", "server", "MediaRelayService/CreateSession"),
    }
    trace = await story.until_traced("POST /whep", lambda found: wanted <= steps(found) and is_one_tree(found))
    (root,) = (span for span in trace if not span.parent_id)
    assert root.attributes["http.response.status_code"] == 201
    assert root.attributes["request_id"] == story.request_ids["whep"]
    # The first answer, "you hold no seat", is how the gateway learns to join: the asking side notes it as a failure.
    assert [span.step[:2] for span in trace if span.failed] == [("gateway", "client")]


async def test_an_event_on_the_bus_belongs_to_the_trace_of_what_caused_it(story: Story) -> None:
    wanted = {
        ("room_directory", "server", "StageService/RaiseHand"),
        ("room_directory", "producer", "publish HandRaised"),
        ("gateway", "consumer", "handle HandRaised"),
    }
    await story.until_traced("StageService/RaiseHand", lambda found: wanted <= steps(found) and is_one_tree(found))


async def test_a_fact_kept_for_others_is_still_part_of_its_trace(story: Story) -> None:
    wanted = {
        ("invite", "server", "InviteService/RedeemInvitation"),
        ("invite", "client", "IdentityService/CreateAccount"),
        ("auth", "server", "IdentityService/CreateAccount"),
        ("auth", "producer", "publish AccountCreated"),
        ("gateway", "consumer", "handle AccountCreated"),
        ("room_directory", "consumer", "handle AccountCreated"),
    }
    await story.until_traced(
        "InviteService/RedeemInvitation", lambda found: wanted <= steps(found) and is_one_tree(found)
    )


async def test_what_nobody_asked_for_begins_no_trace(story: Story) -> None:
    await story.until_traced("RoomService/EndRoom", is_one_tree)
    roots = {span.name for span in story.receiver.spans if not span.parent_id}
    assert all("/" in name for name in roots), roots
    assert not [span for span in story.receiver.spans if "RoomPulse" in span.name or "RelayLoad" in span.name]


async def test_a_trace_that_a_stranger_claims_to_continue_is_not_continued(story: Story) -> None:
    await story.until_traced("AccountService/GetMe", is_one_tree)
    assert not story.receiver.trace(STRANGE.split("-")[1])


async def test_each_log_line_of_a_request_carries_its_ids(story: Story) -> None:
    trace = await story.until_traced("StageService/RaiseHand", lambda found: len(found) > 3)
    lines = [line for line in story.lines() if line.get("request_id") == story.request_ids["RaiseHand"]]
    assert {line["service"] for line in lines} >= {"gateway", "room_directory"}
    assert {line["trace_id"] for line in lines} == {trace[0].trace_id}
    assert {line.get("room_id") for line in lines if line["service"] == "room_directory"} == {story.room_id}


async def test_a_slow_bucket_of_a_histogram_leads_to_a_trace(story: Story) -> None:
    known = {span.trace_id for span in story.receiver.spans}
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        text = await asyncio.to_thread(story.stack.metrics, service, OPENMETRICS)
        for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
            exemplars = {s.exemplar.labels["trace_id"] for s in family.samples if s.exemplar is not None}
            if exemplars:
                found.setdefault(family.name, set()).update(exemplars)
    assert found.keys() >= {"majlis_rpc_duration_seconds", "majlis_gateway_http_duration_seconds"}
    assert set.union(*found.values()) <= known


@pytest.fixture(scope="module")
def prometheus(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, looking at that system as the guide for one machine has it."""
    with scraping(tmp_path_factory.mktemp("prometheus"), story.stack.state) as server:
        yield server


def expressions() -> dict[str, str]:
    """Every expression of a panel, a rule or an alert, by where it stands."""
    found: dict[str, str] = {}
    for board in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(board.read_text())["panels"]:
            found |= {f"{board.stem}: {panel['title']} {t['refId']}": t["expr"] for t in panel["targets"]}
    for name in ("rules.yml", "alerts.yml"):
        groups = yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        found |= {f"{name}: {rule.get('alert') or rule['record']}": rule["expr"] for rule in rules}
    return found


def labels_in(expression: str) -> set[str]:
    """Labels that an expression selects or groups by."""
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", " ".join(re.findall(r"\{([^}]*)\}", expression)))
    grouped = re.findall(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression)
    return {*selected, *(label.strip() for group in grouped for label in group.split(",") if label.strip())}


async def test_every_expression_of_dashboards_and_alerts_fits_what_a_running_system_exports(
    prometheus: Prometheus,
) -> None:
    assert labels_in('sum by (le, b) (x{c="1", d=~"2"}) / on (e) y') == {"le", "b", "c", "d", "e"}
    unfit: dict[str, str] = {}
    of_ours = 0
    for where, expression in expressions().items():
        await asyncio.to_thread(prometheus.query, expression)
        known = {metric: await asyncio.to_thread(prometheus.labels, metric) for metric in read_by(expression)}
        if all(known.values()):
            of_ours += 1
            missing = labels_in(expression) - {label for labels in known.values() for label in labels}
            if missing:
                unfit[where] = f"{sorted(missing)} in {expression}"
    assert not unfit
    assert of_ours > 60, "too few expressions have series to tell anything"


async def test_prometheus_beside_make_run_sees_every_part_and_calls_none_down(prometheus: Prometheus) -> None:
    up = await asyncio.to_thread(prometheus.query, 'up{job!~"backup|canary"}')
    jobs = {(each["metric"]["job"], each["metric"]["instance"], each["value"][1]) for each in up}
    assert jobs == {(name, name, "1") for name in (service.replace("_", "-") for service in SERVICES)}
    rules = await asyncio.to_thread(prometheus.ask, "rules", type="alert")
    states = {rule["name"]: rule["state"] for group in rules["groups"] for rule in group["rules"]}
    down = {name: states[name] for name in ("ServiceDown", "RelayDown", "EventLoopStuck", "RoomWithoutOwner")}
    assert set(down.values()) == {"inactive"}, down


async def test_prometheus_takes_in_exemplars_that_lead_to_traces(story: Story, prometheus: Prometheus) -> None:
    now = time.time()
    times = {"start": f"{now - 600:.0f}", "end": f"{now + 60:.0f}"}
    query = "majlis_rpc_duration_seconds_bucket"
    found = await asyncio.to_thread(prometheus.ask, "query_exemplars", query=query, **times)
    ids = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
    assert ids
    assert all(story.receiver.trace(trace_id) for trace_id in ids)


async def test_nothing_private_is_in_a_log_line_a_metric_or_a_span(story: Story) -> None:
    seen = {f"log of {part}": story.log(part) for part in (*SERVICES, "nats")}
    for service in SERVICES:
        seen[f"metrics of {service}"] = story.stack.metrics(service) + story.stack.metrics(service, OPENMETRICS)
    await story.until_traced("RoomService/EndRoom", is_one_tree)
    seen["spans"] = b"".join(story.receiver.raw).decode("utf-8", "replace")
    # A level that hides lines, or a log that is elsewhere, would prove nothing.
    assert all(text.count("\n") > 3 for text in seen.values()), {name: text.count("\n") for name, text in seen.items()}
    assert "HTTP answered" in seen["log of gateway"]
    shown = {
        f"{what} in the {where}"
        for where, text in seen.items()
        for what, secret in story.private.items()
        for form in {secret, json.dumps(secret)[1:-1]}
        if re.search(rf"(?<![\w.]){re.escape(form)}(?!\w)", text)
    }
    assert not shown
