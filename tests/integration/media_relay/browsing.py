"""A page that listens or speaks by WebRTC without our client, and what it says of the sound."""

from typing import Any

from playwright.async_api import Page

OFFER = """async ([microphone, slots]) => {
  const pc = window.pc = new RTCPeerConnection()
  window.tracks = []
  pc.ontrack = event => window.tracks.push([event.transceiver.mid, event.track, event.receiver])
  if (microphone) {
    const constraints = {echoCancellation: false, noiseSuppression: false, autoGainControl: false}
    const stream = await navigator.mediaDevices.getUserMedia({audio: constraints})
    pc.addTransceiver(stream.getAudioTracks()[0], {direction: 'sendonly'})
  }
  for (let n = 0; n < slots; n++) pc.addTransceiver('audio', {direction: 'recvonly'})
  await pc.setLocalDescription()
  return pc.localDescription.sdp
}"""
ANSWER = """async sdp => {
  await pc.setRemoteDescription({type: 'answer', sdp})
  // A track plays only once something consumes it.
  for (const [, track] of tracks) {
    const element = new Audio()
    element.srcObject = new MediaStream([track])
    element.play()
  }
  for (let n = 0; n < 100 && pc.connectionState !== 'connected'; n++) await new Promise(done => setTimeout(done, 50))
  return pc.connectionState
}"""
PITCHES = """async () => {
  const context = new AudioContext({sampleRate: 48000})
  const found = {}
  for (const [mid, track, receiver] of tracks.filter(each => each[1].kind === 'audio')) {
    const analyser = context.createAnalyser()
    analyser.fftSize = 8192
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser)
    await new Promise(done => setTimeout(done, 400))
    const bins = new Float32Array(analyser.frequencyBinCount)
    analyser.getFloatFrequencyData(bins)
    let best = 0
    for (let n = 1; n < bins.length; n++) if (bins[n] > bins[best]) best = n
    const hertz = bins[best] > -60 ? best * 48000 / 8192 : 0
    found[mid] = [hertz, receiver.getContributingSources().map(each => each.source)]
  }
  return found
}"""
STATS = """async () => {
  const rows = [...(await pc.getStats()).values()]
  return rows.filter(each => each.type === 'inbound-rtp' || each.type === 'transport')
}"""


async def inbound(page: Page) -> dict[str, Any]:
    rows: list[dict[str, Any]] = await page.evaluate(STATS)
    return next(row for row in rows if row["type"] == "inbound-rtp")
