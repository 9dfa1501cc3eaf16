"""Every way room_directory refuses, with the reason its contract documents."""

from services.common.errors import DomainError


class RoomNotFound(DomainError):
    """No such room, or none the caller may know of."""

    kind = "not_found"
    reason = "ROOM_NOT_FOUND"


class RoomEnded(DomainError):
    """The room is over."""

    kind = "failed_precondition"
    reason = "ROOM_ENDED"


class RoomClosed(DomainError):
    """The room is closed and the caller was not asked in."""

    kind = "permission_denied"
    reason = "ROOM_CLOSED"


class RoomFull(DomainError):
    """As many listen as may."""

    kind = "resource_exhausted"
    reason = "ROOM_FULL"


class Removed(DomainError):
    """The caller was removed from the room."""

    kind = "permission_denied"
    reason = "REMOVED"


class Blocked(DomainError):
    """A moderator of the room has blocked the caller."""

    kind = "permission_denied"
    reason = "BLOCKED"


class NotAllowed(DomainError):
    """The caller's role does not allow it, or the person's role makes no sense of it."""

    kind = "permission_denied"
    reason = "NOT_ALLOWED"


class NotInRoom(DomainError):
    """The person is not in the room."""

    kind = "failed_precondition"
    reason = "NOT_IN_ROOM"


class NotOnStage(DomainError):
    """The person is not on stage."""

    kind = "failed_precondition"
    reason = "NOT_ON_STAGE"


class HandsOff(DomainError):
    """Hands are switched off."""

    kind = "failed_precondition"
    reason = "HANDS_OFF"


class TooManyHands(DomainError):
    """As many hands are up as the queue takes."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_HANDS"


class OfferGone(DomainError):
    """The offer was withdrawn, declined or has expired."""

    kind = "failed_precondition"
    reason = "OFFER_GONE"


class StageFull(DomainError):
    """As many are on stage as may."""

    kind = "resource_exhausted"
    reason = "STAGE_FULL"


class StageClosed(DomainError):
    """The stage is closed because no moderator is there."""

    kind = "failed_precondition"
    reason = "STAGE_CLOSED"


class LastModerator(DomainError):
    """The last moderator cannot step down: make another one or end the room."""

    kind = "failed_precondition"
    reason = "LAST_MODERATOR"


class SeatTakenOver(DomainError):
    """Another device of the caller's holds the seat now."""

    kind = "failed_precondition"
    reason = "SEAT_TAKEN_OVER"


class NoRelay(DomainError):
    """No relay has room just now."""

    kind = "unavailable"
    reason = "NO_RELAY"


class TitleInvalid(DomainError):
    """A title is 1 to 60 visible characters."""

    kind = "invalid_argument"
    reason = "TITLE_INVALID"


class TooManyRooms(DomainError):
    """The caller leads as many live rooms as one may."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_ROOMS"


class PersonNotFound(DomainError):
    """No such person."""

    kind = "not_found"
    reason = "PERSON_NOT_FOUND"


class ReportNotFound(DomainError):
    """No such report."""

    kind = "not_found"
    reason = "REPORT_NOT_FOUND"


class RoomMoves(DomainError):
    """The room goes from one copy of the directory to another: `owner` says where it is, once somebody has it."""

    kind = "unavailable"
    reason = "ROOM_MOVES"

    def __init__(self, owner: str = "") -> None:
        super().__init__(retry_after_seconds=0.5, metadata={"owner": owner} if owner else None)


class NothingToTakeBack(DomainError):
    """What the caller did is too long ago, or others changed it meanwhile."""

    kind = "failed_precondition"
    reason = "NOTHING_TO_TAKE_BACK"


class RateLimited(DomainError):
    """Too many tries: wait as RetryInfo says."""

    kind = "resource_exhausted"
    reason = "RATE_LIMITED"


class LineFull(DomainError):
    """As many wait before rooms of this server as may."""

    kind = "resource_exhausted"
    reason = "LINE_FULL"


class TicketInvalid(DomainError):
    """The ticket is not one of this person, room and server, or it is over."""

    kind = "invalid_argument"
    reason = "TICKET_INVALID"


class TicketElsewhere(DomainError):
    """Another device of the caller's waits in their place now."""

    kind = "failed_precondition"
    reason = "TICKET_ELSEWHERE"


class BoothUnknown(DomainError):
    """No booth of that language is open."""

    kind = "failed_precondition"
    reason = "BOOTH_UNKNOWN"


class BoothFull(DomainError):
    """As many sit in the booth as may."""

    kind = "resource_exhausted"
    reason = "BOOTH_FULL"


class TooManyBooths(DomainError):
    """As many booths are open as may."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_BOOTHS"


class LanguageInvalid(DomainError):
    """A language is one that people speak, by its shortest tag."""

    kind = "invalid_argument"
    reason = "LANGUAGE_INVALID"


class BoothLoop(DomainError):
    """The booth to be heard hears the caller's own."""

    kind = "failed_precondition"
    reason = "BOOTH_LOOP"


class NotInBooth(DomainError):
    """The caller sits in no booth."""

    kind = "failed_precondition"
    reason = "NOT_IN_BOOTH"


class AloneInBooth(DomainError):
    """Nobody else sits in the booth whom the sign could reach."""

    kind = "failed_precondition"
    reason = "ALONE_IN_BOOTH"


class SoundLost(DomainError):
    """No sound comes from the caller's own microphone: nobody would be heard."""

    kind = "failed_precondition"
    reason = "SOUND_LOST"


class LineInvalid(DomainError):
    """A line is 1 to 200 visible characters, and signs that say all by themselves have none."""

    kind = "invalid_argument"
    reason = "LINE_INVALID"


class NotCaptioner(DomainError):
    """The person was not let write captions of that language, or of any."""

    kind = "permission_denied"
    reason = "NOT_CAPTIONER"


class CaptionerMuted(DomainError):
    """Moderators keep the caller from writing captions just now."""

    kind = "permission_denied"
    reason = "CAPTIONER_MUTED"


class TooManyCaptioners(DomainError):
    """As many may write captions as there may be."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_CAPTIONERS"


class TooManyLanguages(DomainError):
    """One person writes captions of as many languages as one may."""

    kind = "resource_exhausted"
    reason = "TOO_MANY_LANGUAGES"


class CaptionFinal(DomainError):
    """The caption is final, with other words, or hidden."""

    kind = "failed_precondition"
    reason = "CAPTION_FINAL"


class CaptionUnknown(DomainError):
    """No such caption in the last ten minutes."""

    kind = "not_found"
    reason = "CAPTION_UNKNOWN"


class WebNotAllowed(DomainError):
    """Only an open room that does not rehearse may be opened to the web, and only where the operator allows it."""

    kind = "failed_precondition"
    reason = "WEB_NOT_ALLOWED"
