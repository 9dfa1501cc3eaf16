"""What somebody hears by the languages they understand: the floor, or a booth that gives way to who is understood."""

from collections.abc import Collection, Sequence

from services.programme.channels import FLOOR

MOST_OUTCOMES = 48
"""Different things that lists of languages may come to in one room: each may be a mix of its own."""


def heard_by(understands: Sequence[str], booths: Collection[str], spoken: Collection[str]) -> str:
    """The name of the channel for a list of languages, the best first, in a room of these booths and spoken languages.

    The floor for who understands all that is said there, or has no booth. Else the first language with a booth, and
    after it those spoken on the floor that need no interpreter. All relays come to the same name: nothing else decides.
    """
    unheard = frozenset(spoken) - frozenset(understands)
    booth = next((language for language in understands if language in booths), None)
    if booth is None or not unheard:
        return FLOOR
    clear = frozenset(understands) & frozenset(spoken)
    if len(booths) << len(frozenset(spoken)) > MOST_OUTCOMES:
        clear &= {booth}
    return "-".join([booth, *sorted(clear)])


def mixes(booths: int, spoken: int) -> int:
    """How many channels beside the floor's a room may need where everybody understands one language.

    One of each booth; and where several languages are spoken on the floor, one more of each that has a booth too, in
    which who speaks it is heard instead of the booth.
    """
    return booths + (min(booths, spoken) if spoken > 1 else 0)
