// Injected before the page's own scripts: remembers what plays and what connects, so that a test can hear what a person hears.
(() => {
  const peers = [];
  const elements = new Set();
  const Native = window.RTCPeerConnection;
  if (!Native) return;
  window.RTCPeerConnection = class extends Native {
    constructor(...options) {
      super(...options);
      peers.push(this);
    }
  };
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function remembered() {
    elements.add(this);
    return play.call(this);
  };
  // What a page works on itself before it sounds: each of its contexts has an exit that is recorded like an element.
  const exits = [];
  const recorders = new WeakSet();
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function noted(to, ...rest) {
    if (to instanceof AudioDestinationNode && !recorders.has(this.context)) {
      const exit = this.context.createMediaStreamDestination();
      connect.call(this, exit);
      exits.push({ context: this.context, track: exit.stream.getAudioTracks()[0] });
    }
    return connect.call(this, to, ...rest);
  };
  const audible = () => {
    for (const element of document.querySelectorAll('audio')) elements.add(element);
    return [...elements].filter((e) => (e.srcObject || e.currentSrc) && !e.paused && !e.muted && e.volume > 0);
  };
  // What an element sounds that plays a stream it was not given as one: a page that listens over HTTPS.
  const captured = new WeakMap();
  const tracksOf = (e) => {
    if (e.srcObject) return e.srcObject.getAudioTracks();
    if (!captured.has(e)) captured.set(e, e.captureStream());
    return captured.get(e).getAudioTracks();
  };
  let beganAt = 0;
  window.majlisTest = {
    // What comes out of this page's loudspeaker for some seconds: 48 kHz mono, 16 bit, base64.
    async record(seconds) {
      const context = new AudioContext({ sampleRate: 48000 });
      recorders.add(context);
      await context.resume();
      const mix = context.createScriptProcessor(4096, 1, 1);
      const chunks = [];
      let connected = new Map();
      const follow = () => {
        const wanted = new Set(audible().flatMap((e) => tracksOf(e).filter((t) => t.readyState === 'live' && t.enabled)));
        for (const { context: played, track } of exits) if (played.state === 'running') wanted.add(track);
        for (const [track, source] of connected) if (!wanted.has(track)) { source.disconnect(); connected.delete(track); }
        for (const track of wanted) {
          if (connected.has(track)) continue;
          const source = context.createMediaStreamSource(new MediaStream([track]));
          source.connect(mix);
          connected.set(track, source);
        }
      };
      follow();
      beganAt = 0;
      mix.onaudioprocess = (event) => {
        follow();
        beganAt ||= Date.now() - event.inputBuffer.duration * 1000;
        chunks.push(new Float32Array(event.inputBuffer.getChannelData(0)));
      };
      mix.connect(context.destination);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      mix.disconnect();
      await context.close();
      const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      const pcm = new Int16Array(total);
      let at = 0;
      for (const chunk of chunks) for (const value of chunk) pcm[at++] = Math.max(-1, Math.min(1, value)) * 32767;
      const bytes = new Uint8Array(pcm.buffer);
      let text = '';
      for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return btoa(text);
    },
    // When the first sample of the last recording was heard: milliseconds since 1970.
    beganAt: () => beganAt,
    // Inbound audio statistics of every connected peer connection.
    async stats() {
      const rows = [];
      for (const peer of peers) {
        if (peer.connectionState !== 'connected') continue;
        for (const report of (await peer.getStats()).values()) {
          if (report.type === 'inbound-rtp' && report.kind === 'audio') rows.push({ ...report });
        }
      }
      return rows;
    },
    // What a failed test wants to know: for each connection its state and what its sound went through.
    async soundReport() {
      const kinds = ['media-source', 'outbound-rtp', 'remote-inbound-rtp', 'inbound-rtp', 'media-playout', 'candidate-pair'];
      const lines = [];
      for (const peer of peers) {
        lines.push(`peer ${peer.connectionState} ${peer.iceConnectionState}`);
        if (peer.connectionState === 'closed') continue;
        for (const { mid, direction, currentDirection, sender } of peer.getTransceivers()) {
          const track = sender.track && `${sender.track.readyState} enabled=${sender.track.enabled} muted=${sender.track.muted}`;
          lines.push(`  mid ${mid} ${direction} ${currentDirection} sends ${track}`);
        }
        for (const report of (await peer.getStats()).values()) {
          if (kinds.includes(report.type)) lines.push(`  ${JSON.stringify(report)}`);
        }
      }
      for (const e of elements) {
        const tracks = e.srcObject ? e.srcObject.getTracks().map((t) => `${t.id} ${t.readyState} muted=${t.muted}`) : [];
        lines.push(`element paused=${e.paused} muted=${e.muted} volume=${e.volume} ${tracks}`);
      }
      return lines.join('\n');
    },
    peers: () => peers,
    states: () => peers.map((peer) => peer.connectionState),
  };
})();
