"""What Chromium hears of chirps said at whole seconds: how long after it was said each one leaves the browser."""

import base64
import urllib.request
from dataclasses import dataclass
from typing import Any

import numpy as np
from playwright.async_api import async_playwright

from tests.support.browser import flags
from tests.support.voices import SAMPLE_RATE, Samples

CHIRP_SAMPLES = 2880
LOW_HERTZ, HIGH_HERTZ = 400.0, 3400.0
"""The sweep of majlis-load, chirps.rs."""
REACH_SECONDS = 0.9
LIKENESS = 0.5

OFFER = """async () => {
  const pc = window.pc = new RTCPeerConnection()
  pc.ontrack = event => { window.track = event.track }
  pc.addTransceiver('audio', {direction: 'recvonly'})
  await pc.setLocalDescription()
  return pc.localDescription.sdp
}"""
LISTEN = """async sdp => {
  await pc.setRemoteDescription({type: 'answer', sdp})
  const element = new Audio()
  element.srcObject = new MediaStream([track])
  element.play()
  for (let n = 0; n < 200 && pc.connectionState !== 'connected'; n++) await new Promise(done => setTimeout(done, 50))
  return pc.connectionState
}"""
RECORD = """async seconds => {
  const context = new AudioContext({sampleRate: 48000, latencyHint: 'interactive'})
  await context.resume()
  const source = `registerProcessor('tap', class extends AudioWorkletProcessor {
    process([[channel]]) {
      if (channel) this.port.postMessage([currentFrame + channel.length, channel.slice()])
      return true
    }
  })`
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})))
  const tap = new AudioWorkletNode(context, 'tap')
  const chunks = []
  let first = null, offset = Infinity
  tap.port.onmessage = ({data: [end, samples]}) => {
    first ??= end - samples.length
    // The quickest message says best when a frame was there: none comes before it.
    offset = Math.min(offset, performance.timeOrigin + performance.now() - end / 48)
    chunks.push([end - samples.length - first, samples])
  }
  context.createMediaStreamSource(new MediaStream([track])).connect(tap)
  await new Promise(done => setTimeout(done, seconds * 1000))
  tap.disconnect()
  const last = chunks[chunks.length - 1]
  const pcm = new Int16Array(last[0] + last[1].length)
  for (const [at, samples] of chunks) for (let n = 0; n < samples.length; n++) pcm[at + n] = samples[n] * 32767
  const bytes = new Uint8Array(pcm.buffer)
  let text = ''
  for (let n = 0; n < bytes.length; n += 32768) text += String.fromCharCode(...bytes.subarray(n, n + 32768))
  const stats = [...(await pc.getStats()).values()].find(each => each.type === 'inbound-rtp')
  return {began: (offset + first / 48) / 1000, pcm: btoa(text), stats}
}"""


@dataclass(frozen=True)
class Recording:
    """Sound as it came out of the browser's decoder and buffer."""

    began_unix_seconds: float
    samples: Samples
    buffered_ms: float
    """What its jitter buffer held on average."""


def sweep() -> Samples:
    """The chirp that is looked for."""
    seconds = CHIRP_SAMPLES / SAMPLE_RATE
    t = np.arange(CHIRP_SAMPLES) / SAMPLE_RATE
    rise = (HIGH_HERTZ - LOW_HERTZ) / seconds
    wave = np.sin(np.pi * t / seconds) * np.sin(2 * np.pi * (LOW_HERTZ + rise * t / 2) * t)
    return wave.astype(np.float32)


def delays_ms(heard: Recording, said_began_unix_seconds: float) -> list[float]:
    """For each chirp that was found: from its first sample being said to the same sample being heard."""
    chirp = sweep()
    energy = float(np.sqrt((chirp**2).sum()))
    skipped = heard.began_unix_seconds - said_began_unix_seconds
    result = []
    second = int(np.ceil(skipped))
    while (second - skipped + REACH_SECONDS) * SAMPLE_RATE < len(heard.samples):
        start = int((second - skipped) * SAMPLE_RATE)
        window = heard.samples[start : start + int(REACH_SECONDS * SAMPLE_RATE)]
        likeness = np.correlate(window, chirp, "valid")
        best = int(np.argmax(likeness))
        own = float(np.sqrt((window[best : best + CHIRP_SAMPLES] ** 2).sum()))
        if own > 0 and likeness[best] / own / energy > LIKENESS:
            result.append((start + best) / SAMPLE_RATE * 1000 - (second - skipped) * 1000)
        second += 1
    return result


def whep(url: str, room_id: str, token: str, offer: str) -> str:
    """The answer to a listener's offer."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    request = urllib.request.Request(f"{url}/whep/{room_id}", offer.encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


async def record(program: str, url: str, room_id: str, token: str, seconds: float) -> Recording:
    """Listens to a room's programme in a browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags(None))
        page = await (await browser.new_context()).new_page()
        await page.route(
            "http://localhost/*", lambda route: route.fulfill(body="<html></html>", content_type="text/html")
        )
        await page.goto("http://localhost/")
        answer = whep(url, room_id, token, await page.evaluate(OFFER))
        state = await page.evaluate(LISTEN, answer)
        if state != "connected":
            raise RuntimeError(f"the browser's connection is {state}")
        found: dict[str, Any] = await page.evaluate(RECORD, seconds)
        await browser.close()
    samples = np.frombuffer(base64.b64decode(found["pcm"]), dtype="<i2").astype(np.float32) / np.float32(32768)
    stats = found["stats"]
    buffered = stats["jitterBufferDelay"] / max(1, stats["jitterBufferEmittedCount"]) * 1000
    return Recording(found["began"], samples, buffered)
