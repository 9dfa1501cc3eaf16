// The person's microphone: asked for once, metered, handed to the stage session, given back when not needed.
import { loudness } from './levels.ts';

export type MicrophoneState = 'off' | 'asking' | 'live' | 'denied' | 'missing' | 'insecure';

export class Microphone {
  state = $state<MicrophoneState>('off');
  /** True from when the person switched it off until they switch it on: nothing that happens elsewhere opens it meanwhile. */
  held = $state(false);
  /** True while the cough key is held: silent for a moment, whatever else holds. */
  coughing = $state(false);
  #enabled = true;
  #stream: MediaStream | null = null;
  #context: AudioContext | null = null;
  #analyser: AnalyserNode | null = null;
  #samples = new Float32Array(512);
  #opening: Promise<boolean> | null = null;
  /** Rises when it is given back: what was asked for before is then no longer wanted. */
  #closed = 0;

  get track(): MediaStreamTrack | null {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /** True when the browser gives the microphone without asking. */
  async granted(): Promise<boolean> {
    try {
      return (await navigator.permissions.query({ name: 'microphone' as PermissionName })).state === 'granted';
    } catch {
      return false;
    }
  }

  /** Asks for the microphone, once however many ask here; true when it is live and still wanted. */
  open(): Promise<boolean> {
    if (this.#opening) return this.#opening;
    const opening = this.#ask().finally(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    return (this.#opening = opening);
  }

  async #ask(): Promise<boolean> {
    if (this.track?.readyState === 'live') return true;
    if (!navigator.mediaDevices) {
      this.state = 'insecure';
      return false;
    }
    this.state = 'asking';
    const round = this.#closed;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      });
      if (round !== this.#closed) {
        for (const track of stream.getTracks()) track.stop();
        return false;
      }
      this.#stream = stream;
    } catch (error) {
      this.state = error instanceof DOMException && error.name === 'NotAllowedError' ? 'denied' : 'missing';
      return false;
    }
    // The browser says this when the device goes away, not when the track is stopped here.
    this.track?.addEventListener('ended', () => this.#lost(), { once: true });
    this.#meter(this.#stream);
    this.state = 'live';
    return true;
  }

  #lost(): void {
    this.close();
    this.state = 'missing';
  }

  #meter(stream: MediaStream): void {
    this.#context ??= new AudioContext();
    void this.#context.resume();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Lets sound through or not; the track stays, so that nothing needs to be negotiated. */
  enable(on: boolean): void {
    this.#enabled = on;
    if (this.track) this.track.enabled = on && !this.held && !this.coughing;
  }

  /** Silent for as long as a key is held. */
  cough(on: boolean): void {
    this.coughing = on;
    this.enable(this.#enabled);
  }

  /** The person switches it off: at once. */
  hold(): void {
    this.held = true;
    this.enable(this.#enabled);
  }

  /** The person switches it on again. */
  release(): void {
    this.held = false;
    this.enable(true);
  }

  /** How loud it is now, 0-1; 0 while switched off. */
  level(): number {
    if (!this.#analyser || !this.track?.enabled) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    return loudness(Math.sqrt(power));
  }

  close(): void {
    this.#closed++;
    this.#opening = null;
    this.held = this.coughing = false;
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#analyser = null;
    void this.#context?.close();
    this.#context = null;
    this.state = 'off';
  }
}
