"""A recorder made of GStreamer alone: hears one WHEP endpoint and writes raw sound, 48 kHz mono, until it is stopped.

It runs with the interpreter of Debian's python3-gi, which knows nothing of this repository: endpoint, token, output,
own address. What it says on standard output is the address of its session, once sound flows.
"""

import sys
import urllib.request
from typing import Any
from urllib.parse import urljoin

import gi  # type: ignore[import-not-found,unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # type: ignore[import-not-found,unused-ignore] # noqa: E402

OPUS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2"
RECORD = "rtpopusdepay ! opusdec plc=true ! audioconvert ! audioresample"


class Recorder:
    """One pipeline."""

    def __init__(self, endpoint: str, token: str, out: str, local: str) -> None:
        self._endpoint, self._token, self._out = endpoint, token, out
        self._session = ""
        self._pipeline = Gst.Pipeline()
        self._peer = Gst.ElementFactory.make("webrtcbin")
        self._peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self._pipeline.add(self._peer)
        # The servers of most tests are on this machine, whose loopback libnice leaves out. Kept, or it would go.
        self._ice = self._peer.get_property("ice-agent")
        self._ice.emit("add-local-ip-address", local)
        self._peer.connect("notify::ice-gathering-state", self._gathered)
        self._peer.connect("pad-added", self._sounds)

    def begin(self) -> None:
        """Offers to receive one voice."""
        self._pipeline.set_state(Gst.State.PLAYING)
        recvonly = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self._peer.emit("add-transceiver", recvonly, Gst.Caps.from_string(OPUS))
        self._peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered, None))

    def _offered(self, promise: Any, *_: Any) -> None:
        # Each of them is part of the one before.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self._peer.emit("set-local-description", offer, Gst.Promise.new())

    def _gathered(self, *_: Any) -> None:
        if self._peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self._post)

    def _post(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/sdp"}
        offer = self._peer.get_property("local-description").sdp.as_text().encode()
        with urllib.request.urlopen(urllib.request.Request(self._endpoint, offer, headers)) as answer:
            self._session = urljoin(self._endpoint, answer.headers["Location"])
            _, sdp = GstSdp.SDPMessage.new_from_text(answer.read().decode())
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self._peer.emit("set-remote-description", description, Gst.Promise.new())

    def _sounds(self, _: Any, pad: Any) -> None:
        caps = "audio/x-raw,format=S16LE,rate=48000,channels=1"
        record = Gst.parse_bin_from_description(
            f"{RECORD} ! {caps} ! filesink buffer-mode=2 location={self._out}", True
        )
        self._pipeline.add(record)
        record.sync_state_with_parent()
        pad.link(record.get_static_pad("sink"))
        sys.stdout.write(f"{self._session}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    Gst.init(None)
    Recorder(*sys.argv[1:]).begin()
    GLib.MainLoop().run()
