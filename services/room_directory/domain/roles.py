"""Who may do what to whom: the role tables, as data; a pair that is not listed is refused."""

from enum import Enum

from services.room_directory.domain.errors import NotAllowed, NotInRoom, NotOnStage


class Role(Enum):
    """What somebody is in a room."""

    OUTSIDE = "outside"
    LISTENER = "listener"
    SPEAKER = "speaker"
    MODERATOR = "moderator"
    INTERPRETER = "interpreter"


class Action(Enum):
    """What somebody may want to do in a room."""

    LISTEN = "listen"
    SPEAK = "speak"
    RAISE_HAND = "raise_hand"
    LOWER_HAND = "lower_hand"
    ACCEPT_OFFER = "accept_offer"
    DECLINE_OFFER = "decline_offer"
    LEAVE_STAGE = "leave_stage"
    SET_OWN_MUTE = "set_own_mute"
    UPDATE_ROOM = "update_room"
    END_ROOM = "end_room"
    LIST_HANDS = "list_hands"
    DISMISS_HAND = "dismiss_hand"
    OFFER_STAGE = "offer_stage"
    WITHDRAW_OFFER = "withdraw_offer"
    MUTE_SPEAKER = "mute_speaker"
    MOVE_TO_AUDIENCE = "move_to_audience"
    REMOVE_PERSON = "remove_person"
    READMIT_PERSON = "readmit_person"
    MAKE_MODERATOR = "make_moderator"
    NAME_SUCCESSOR = "name_successor"
    ADD_GUEST = "add_guest"
    LIST_ROSTER = "list_roster"
    TAKE_BACK = "take_back"
    OPEN_BOOTH = "open_booth"
    CLOSE_BOOTH = "close_booth"
    OFFER_BOOTH = "offer_booth"
    SIT_IN_BOOTH = "sit_in_booth"
    SET_BOOTH = "set_booth"
    SET_SPOKEN_LANGUAGE = "set_spoken_language"
    GO_LIVE = "go_live"
    LIST_CHANNELS = "list_channels"
    GRANT_CAPTIONING = "grant_captioning"
    MUTE_CAPTIONER = "mute_captioner"
    EDIT_CAPTIONS = "edit_captions"


_L, _S, _M, _I, _O = Role.LISTENER, Role.SPEAKER, Role.MODERATOR, Role.INTERPRETER, Role.OUTSIDE

ON_STAGE = frozenset({_S, _M, _I})
"""The roles that sit on the stage."""

_WHO = {
    Role.OUTSIDE: "somebody outside",
    Role.LISTENER: "a listener",
    Role.SPEAKER: "a speaker",
    Role.INTERPRETER: "an interpreter",
    Role.MODERATOR: "a moderator",
}

ALLOWED: frozenset[tuple[Role, Action]] = frozenset(
    {
        (_L, Action.LISTEN),
        (_L, Action.RAISE_HAND),
        (_L, Action.LOWER_HAND),
        (_L, Action.ACCEPT_OFFER),
        (_L, Action.DECLINE_OFFER),
        (_L, Action.LIST_ROSTER),
        (_S, Action.SPEAK),
        (_S, Action.LOWER_HAND),
        (_S, Action.LEAVE_STAGE),
        (_S, Action.SET_OWN_MUTE),
        (_S, Action.LIST_ROSTER),
        (_S, Action.SIT_IN_BOOTH),
        # An interpreter carries the talk into another language, and goes from booth to booth, not onto the floor.
        (_I, Action.SIT_IN_BOOTH),
        (_I, Action.SPEAK),
        (_I, Action.LOWER_HAND),
        (_I, Action.LEAVE_STAGE),
        (_I, Action.SET_OWN_MUTE),
        (_I, Action.LIST_ROSTER),
        (_M, Action.SPEAK),
        (_M, Action.LOWER_HAND),
        (_M, Action.LEAVE_STAGE),
        (_M, Action.SET_OWN_MUTE),
        (_M, Action.UPDATE_ROOM),
        (_M, Action.END_ROOM),
        (_M, Action.LIST_HANDS),
        (_M, Action.DISMISS_HAND),
        (_M, Action.OFFER_STAGE),
        (_M, Action.WITHDRAW_OFFER),
        (_M, Action.MUTE_SPEAKER),
        (_M, Action.MOVE_TO_AUDIENCE),
        (_M, Action.REMOVE_PERSON),
        (_M, Action.READMIT_PERSON),
        (_M, Action.MAKE_MODERATOR),
        (_M, Action.NAME_SUCCESSOR),
        (_M, Action.ADD_GUEST),
        (_M, Action.LIST_ROSTER),
        (_M, Action.TAKE_BACK),
        (_M, Action.OPEN_BOOTH),
        (_M, Action.CLOSE_BOOTH),
        (_M, Action.OFFER_BOOTH),
        (_M, Action.SIT_IN_BOOTH),
        # Of a booth that others sit in; its own people need no leave.
        (_M, Action.SET_BOOTH),
        # Of others; everybody says of themselves what they speak.
        (_M, Action.SET_SPOKEN_LANGUAGE),
        (_M, Action.GO_LIVE),
        (_M, Action.LIST_CHANNELS),
        (_M, Action.GRANT_CAPTIONING),
        (_M, Action.MUTE_CAPTIONER),
        # Of what others wrote.
        (_M, Action.EDIT_CAPTIONS),
    }
)
"""What each role may do at all."""

SENSIBLE: frozenset[tuple[Action, Role]] = frozenset(
    {
        (Action.DISMISS_HAND, _O),
        (Action.DISMISS_HAND, _L),
        (Action.DISMISS_HAND, _S),
        (Action.DISMISS_HAND, _I),
        (Action.DISMISS_HAND, _M),
        (Action.OFFER_STAGE, _L),
        (Action.OFFER_BOOTH, _L),
        (Action.WITHDRAW_OFFER, _O),
        (Action.WITHDRAW_OFFER, _L),
        (Action.WITHDRAW_OFFER, _S),
        (Action.WITHDRAW_OFFER, _I),
        (Action.WITHDRAW_OFFER, _M),
        (Action.MUTE_SPEAKER, _S),
        (Action.MUTE_SPEAKER, _I),
        (Action.MUTE_SPEAKER, _M),
        # A person already in the audience stays there: the call is idempotent.
        (Action.MOVE_TO_AUDIENCE, _L),
        (Action.MOVE_TO_AUDIENCE, _S),
        (Action.MOVE_TO_AUDIENCE, _I),
        # Somebody who has just left can still be kept from coming back; moderators cannot remove each other.
        (Action.REMOVE_PERSON, _O),
        (Action.REMOVE_PERSON, _L),
        (Action.REMOVE_PERSON, _S),
        (Action.REMOVE_PERSON, _I),
        (Action.READMIT_PERSON, _O),
        (Action.READMIT_PERSON, _L),
        (Action.READMIT_PERSON, _S),
        (Action.READMIT_PERSON, _I),
        (Action.READMIT_PERSON, _M),
        (Action.MAKE_MODERATOR, _S),
        (Action.MAKE_MODERATOR, _I),
        (Action.MAKE_MODERATOR, _M),
        (Action.NAME_SUCCESSOR, _S),
        (Action.NAME_SUCCESSOR, _I),
        (Action.SET_SPOKEN_LANGUAGE, _S),
        (Action.SET_SPOKEN_LANGUAGE, _I),
        (Action.SET_SPOKEN_LANGUAGE, _M),
    }
)
"""To a person of which role an action makes sense; actions upon nobody are not listed."""

UPON_STAGE: frozenset[Action] = frozenset(
    {
        Action.MUTE_SPEAKER,
        Action.MOVE_TO_AUDIENCE,
        Action.MAKE_MODERATOR,
        Action.NAME_SUCCESSOR,
        Action.SET_SPOKEN_LANGUAGE,
    }
)
"""Actions upon people on stage: anybody else is told apart by NotOnStage."""

OPERATOR_MAY: frozenset[Action] = frozenset({Action.END_ROOM})
"""What an operator of the deployment may do in any room, whatever their role there."""


def require(role: Role, action: Action, *, operator: bool = False) -> None:
    """Raises NotAllowed unless the table lists the pair."""
    if (role, action) in ALLOWED or (operator and action in OPERATOR_MAY):
        return
    raise NotAllowed(f"{role.value} may not {action.value}", metadata={"role": role.value, "action": action.value})


def require_target(action: Action, target: Role) -> None:
    """Raises unless the action makes sense for a person of that role: NotInRoom, NotOnStage or NotAllowed."""
    if (action, target) in SENSIBLE:
        return
    if target is Role.OUTSIDE and action in (Action.OFFER_STAGE, Action.OFFER_BOOTH):
        raise NotInRoom
    if target not in ON_STAGE and action in UPON_STAGE:
        raise NotOnStage
    raise NotAllowed(
        f"{action.value.replace('_', ' ')} makes no sense for {_WHO[target]}",
        metadata={"target": target.value, "action": action.value},
    )
