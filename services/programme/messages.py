"""Channels in the form of the contract."""

from majlis.programme.v1 import programme_pb2 as pb

from services.programme.channels import Channel


def channel_message(channel: Channel) -> pb.Channel:
    """The channel as messages name it."""
    kind = pb.ChannelKind.Value(f"CHANNEL_KIND_{channel.kind.name}")
    return pb.Channel(room_id=channel.room_id, name=channel.name, kind=kind)
