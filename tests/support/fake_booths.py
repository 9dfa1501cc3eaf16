"""The booths of the small server for tests of clients."""

from typing import Any

from majlis.room_directory.v1 import booth_pb2, booth_service_pb2, room_pb2


class BoothDesk:
    """Notes what is done with booths; the hall holds in which one the person sits."""

    hall: Any

    async def OpenBooth(self, request: Any, context: Any) -> Any:
        self.hall.booth_calls.append(f"open {request.language}")
        return booth_service_pb2.OpenBoothResponse(booth=booth_pb2.Booth(language=request.language))

    async def CloseBooth(self, request: Any, context: Any) -> Any:
        self.hall.booth_calls.append(f"close {request.language}")
        return booth_service_pb2.CloseBoothResponse()

    async def SitInBooth(self, request: Any, context: Any) -> Any:
        self.hall.booth_calls.append(f"sit {request.language}")
        self.hall.booth, self.hall.epoch = request.language, self.hall.epoch + 1
        permit = self.hall.permit() if request.language else room_pb2.MediaPermit()
        return booth_service_pb2.SitInBoothResponse(seat=self.hall.seat(), permit=permit)

    async def SetHearing(self, request: Any, context: Any) -> Any:
        self.hall.booth_calls.append(f"hear {request.language}")
        return booth_service_pb2.SetHearingResponse()

    async def SetBooth(self, request: Any, context: Any) -> Any:
        [booth] = [each for each in self.hall.booths if each.language == request.language]
        booth.rule = request.rule or booth.rule
        for name in ("floor_after_seconds", "floor_level_db"):
            if request.HasField(name):
                setattr(booth, name, getattr(request, name))
        return booth_service_pb2.SetBoothResponse(booth=booth)

    async def TakeOver(self, request: Any, context: Any) -> Any:
        self.hall.booth_calls.append("take over")
        return booth_service_pb2.TakeOverResponse(booth=booth_pb2.Booth(language=self.hall.booth))
