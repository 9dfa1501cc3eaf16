"""`python -m examples.captioner`: captions a room by a recogniser, or translates its captions."""

import argparse
import asyncio
import os
from pathlib import Path

from majlis_client import Client, MajlisError, PersonalToken

from examples.captioner.bot import caption
from examples.captioner.recognisers import load
from examples.captioner.translating import Glossary, translate_captions


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.captioner", description=__doc__)
    parser.add_argument("--server", default=os.environ.get("MAJLIS_SERVER", ""), help="origin, else MAJLIS_SERVER")
    parser.add_argument("--room", required=True, help="id of the room")
    parser.add_argument("--key", default="", help="key of a closed room")
    parser.add_argument("--language", default="en", help="language of the captions written")
    parser.add_argument("--channel", default="", help="language of the booth to listen to; the floor without it")
    parser.add_argument(
        "--recogniser",
        default="examples.captioner.recognisers:PocketSphinx",
        metavar="MODULE:NAME",
        help="what makes the recogniser",
    )
    parser.add_argument("--translate-from", default="", metavar="LANGUAGE", help="translate captions, do not listen")
    parser.add_argument("--glossary", type=Path, help="translate word for word by this file of two columns")
    parser.add_argument("--translator", default="", metavar="MODULE:NAME", help="what makes the translator")
    return parser.parse_args()


async def _run(given: argparse.Namespace) -> str:
    token = PersonalToken(os.environ["MAJLIS_TOKEN"])
    async with await Client.connect(given.server, token) as client:
        if not given.translate_from:
            recogniser = load(given.recogniser)()
            print(f"captioning {given.room} in {given.language}", flush=True)
            return await caption(
                client, given.room, given.language, recogniser, channel=given.channel, room_key=given.key
            )
        translator = Glossary(given.glossary) if given.glossary else load(given.translator)()
        joined = await client.join(given.room, room_key=given.key, without_permit=True)
        print(f"translating {given.room} from {given.translate_from} to {given.language}", flush=True)
        try:
            await translate_captions(client, given.room, given.translate_from, given.language, translator)
        finally:
            await client.leave(given.room, joined.seat.epoch)
        return "room_ended"


def main() -> None:
    """Runs until the room ends, Ctrl-C, or a refusal."""
    try:
        print(asyncio.run(_run(_arguments())))
    except MajlisError as error:
        raise SystemExit(f"{error.reason}: {error.message}") from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
