"""Mutates real offers and fragments for a time: `fuzz_sdp [--seconds N] [--seed S]`; each is answered or refused."""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from services.media_relay.domain.errors import FragmentInvalid, OfferInvalid
from services.media_relay.domain.media import MediaAddresses
from services.media_relay.domain.permits import Kind
from services.media_relay.sessions.sdp.answer import IceLocal, plan_session, write_answer
from services.media_relay.sessions.sdp.fragment import parse_fragment, write_restart
from services.media_relay.sessions.sdp.offer import Fingerprint, parse_offer
from services.programme.channels import FLOOR

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "tests" / "support" / "offers"
FINDINGS = ROOT / "var" / "fuzz"
ICE = IceLocal("ufrag1", "password-of-twenty-two-chars", MediaAddresses([("192.0.2.1", 5004)], [("192.0.2.1", 5004)]))
FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))
SLOWEST_SECONDS = 1.0
"""An offer of this size that takes longer stops the relay's calls for as long."""
MOST_CHARACTERS = 20_000
ROUND = 50
_ODD = ["", " ", "\r", "\n", "\0", ":", "=", "/", "-1", "99999999999999999999", "%s", "\u00e9", "\u202e", "a" * 300]


class Finding(Exception):
    """What was written for a mutated text is not SDP."""


def corpus() -> list[str]:
    """Offers as clients made them."""
    return [path.read_bytes().decode() for path in sorted(CORPUS.glob("*.sdp"))]


def answer_or_refuse(text: str) -> None:
    """Any offer, for both kinds of session. Raises Finding, or whatever the parser raises that is no refusal."""
    for kind in Kind:
        try:
            plan = plan_session(parse_offer(text), kind)
        except OfferInvalid:
            continue
        written = write_answer(plan, 1, ICE, FINGERPRINT, list(range(1, len(plan.outgoing) + 1)), channel=FLOOR)
        lines = written.split("\r\n")
        if lines[-1] or not all(len(line) > 2 and line[1] == "=" and line.isprintable() for line in lines[:-1]):
            raise Finding("a line of the answer is none of SDP")
        if written.count("\r\nm=") != len(plan.offer.media):
            raise Finding("the answer has not one m-line for each of the offer")


def restart_or_refuse(text: str) -> None:
    """Any fragment."""
    try:
        fragment = parse_fragment(text)
    except FragmentInvalid:
        return
    if not all(line.isprintable() for line in write_restart(ICE, fragment).split("\r\n")):
        raise Finding("a line of the fragment is not printable")


def mutate(random_: random.Random, texts: list[str]) -> str:
    """One of the texts with a few changes: to characters, to numbers, to lines, or with another's lines in it."""
    lines = random_.choice(texts).split("\r\n")
    for _ in range(random_.randint(1, 6)):
        at = random_.randrange(len(lines)) if lines else 0
        match random_.randrange(7):
            case 0 if lines:
                del lines[at]
            case 1 if lines:
                lines.insert(at, lines[random_.randrange(len(lines))])
            case 2:
                lines.insert(at, random_.choice(random_.choice(texts).split("\r\n")))
            case 3 if lines:
                lines[at] = lines[at][: random_.randint(0, len(lines[at]))]
            case 4 if lines:
                cut = random_.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut] + random_.choice(_ODD) + lines[at][cut + random_.randint(0, 4) :]
            case 5 if lines:
                lines[at] = "".join(str(random_.randrange(99999)) if each.isdigit() else each for each in lines[at])
            case _:
                random_.shuffle(lines)
    return "\r\n".join(lines)[:MOST_CHARACTERS]


def run(target: Callable[[str], None], text: str) -> None:
    """Raises what went wrong, slowness included."""
    began = time.process_time()
    target(text)
    if time.process_time() - began > SLOWEST_SECONDS:
        raise Finding(f"{len(text)} characters took {time.process_time() - began:.1f} s")


def fuzz(
    seconds: float,
    seed: int,
    findings: Path = FINDINGS,
    targets: Sequence[Callable[[str], None]] = (answer_or_refuse, restart_or_refuse),
) -> str | None:
    """Tries for so long; returns what was found, if anything, and keeps the text that does it."""
    random_, texts, count = random.Random(seed), corpus(), 0  # noqa: S311 (a seed must repeat what was found)
    until = time.monotonic() + seconds
    while True:
        for _ in range(ROUND):
            text = mutate(random_, texts) if count else texts[0]
            count += 1
            for target in targets:
                try:
                    run(target, text)
                except Exception as error:  # noqa: BLE001 (whatever comes out is the finding)
                    findings.mkdir(parents=True, exist_ok=True)
                    kept = findings / f"sdp-{seed}-{count}.sdp"
                    kept.write_bytes(text.encode())
                    return f"{target.__name__}: {type(error).__name__}: {error}; kept as {kept}"
        if time.monotonic() >= until:
            sys.stdout.write(f"sdp: {count} inputs from seed {seed}, no finding\n")
            return None


def main() -> int:
    """Command line; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="tools.fuzz_sdp", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    options = parser.parse_args()
    found = fuzz(options.seconds, options.seed)
    if found is not None:
        sys.stderr.write(f"sdp: seed {options.seed}: {found}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
