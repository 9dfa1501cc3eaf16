// The sound of a room: on which rung of the ladder it is heard, which session plays, and how another takes its place without a gap.
import { paces, type BackOff } from '../lib/back-off.ts';
import type { Stop } from '../lib/clock.ts';
import type { Way } from '../media/pulse.ts';
import type { Farewell, Permit, SessionKind, SessionState } from '../media/session.ts';
import { endsSeat } from '../lib/reasons.ts';
import { lacksRoom, reasonOf } from '../lib/refusal.ts';
import type { Cause, Chosen, Rung } from './rungs.ts';
import { ask, callWithin, climb, fall, look, shortest, silent, soon, spread, steady } from './sound-paces.ts';
import type { Session, SoundParts, SoundSource, SoundState } from './sound-parts.ts';
import { WebSide } from './web-side.ts';

export class Sound {
  state = $state<SoundState>('off');
  kind = $state<SessionKind>('audience');
  /** The relay that serves what plays now. */
  relay = $state('');
  /** What is heard now, or comes. */
  rung = $state<Rung>('call');
  /** How a call comes. */
  way = $state<Way>('');
  /** Why it is not a call. */
  cause = $state<Cause>('blocked');
  /** Seconds behind who speaks, whole ones. */
  behind = $state(0);
  chosen = $state<Chosen>('auto');
  readonly #source: SoundSource;
  readonly #parts: SoundParts;
  readonly #again: BackOff;
  readonly #webAgain: BackOff;
  readonly #web: WebSide;
  readonly #stops: Stop[];
  #playing: Session | null = null;
  #coming: Session | null = null;
  /** The call that played until nothing was heard of it any more: it may come back. */
  #lost: Session | null = null;
  #stopRenewal: Stop | null = null;
  #stopAsking: Stop | null = null;
  #stopWaiting: Stop | null = null;
  #round = 0;
  #blocked = false;

  constructor(source: SoundSource, parts: SoundParts) {
    this.#source = source;
    this.#parts = parts;
    this.chosen = source.silent() ? 'text' : 'auto';
    this.#again = parts.waits(paces.sound);
    this.#webAgain = parts.waits(paces.sound);
    this.#web = new WebSide(parts, {
      sounds: (session) => this.#webSounds(session),
      stalls: (session) => this.#webStalls(session),
      failed: (error) => this.#webFailed(error),
    });
    parts.levels.start(
      () => this.#playing?.receivers ?? [],
      () => (this.kind === 'stage' ? { member: source.member(), level: parts.microphone.level() } : null),
    );
    this.#stops = [parts.network.whenBack(() => this.#elsewhere()), parts.clock.every(look, () => this.#look())];
  }

  /** What came and went over the network for what plays now. */
  readonly spent = (): number => this.#playing?.bytes ?? 0;

  /** Brings a session of a kind up; what plays now goes on until the new one sounds. */
  async start(kind: SessionKind, permit?: Permit): Promise<void> {
    // Who has left is not brought back by an answer that was still on its way.
    if (this.state === 'closed') return;
    this.#abandon();
    const moved = this.kind !== kind;
    this.kind = kind;
    // Who is brought up is to hear and be heard.
    if (kind === 'stage') this.#chose('auto');
    else this.#parts.uplink?.down();
    if (this.chosen === 'text') return this.#reads();
    const round = this.#round;
    // What is wrong stays on show while it is tried again.
    if (this.state === 'off' || this.state === 'text') this.state = 'connecting';
    else if (this.state === 'on' && this.#playing?.state !== 'connected') this.state = 'reconnecting';
    this.#alongside(moved);
    try {
      const usable = permit ?? (await this.#source.permit(kind));
      if (round !== this.#round) return;
      const session = this.#parts.session(kind, (state) => this.#changed(session, state), usable.iceServers);
      this.#coming = session;
      await session.open(usable, kind === 'stage' ? this.#parts.microphone.track : null);
      if (round === this.#round && session === this.#coming) this.#stopWaiting = this.#parts.clock.after(callWithin, () => this.#late(session));
    } catch (error) {
      if (round === this.#round) this.#failed(error);
    }
  }

  /** Streams end with the seat that they were opened for; and where calls were blocked lately none is waited for. */
  #alongside(moved: boolean): void {
    if (this.#playing?.rung === 'https' || this.#web.comes) {
      // The voice does not wait for the ears.
      if (this.kind === 'stage' && this.rung === 'https') this.#parts.uplink?.up();
      if (moved) this.#web.begin(this.kind);
    } else if (!this.#playing && this.#parts.hint.low) this.#descend('blocked');
  }

  /** A new session of the same kind, after a random wait within `spread` milliseconds; a stage is small and does not wait. */
  renew(spread: number): void {
    this.#rest();
    const wait = this.kind === 'stage' ? Math.min(spread, shortest) : spread;
    this.#stopRenewal = this.#parts.clock.after(this.#parts.random() * wait, () => void this.start(this.kind));
  }

  /** What is asked for with a permit has changed: the same session hears it where it can, else another one takes over. */
  async change(): Promise<void> {
    const { kind } = this;
    const playing = this.#playing;
    if (this.state === 'closed' || this.state === 'text') return;
    if (playing?.rung === 'https' || this.#web.comes) this.#web.begin(kind);
    if (playing?.rung === 'https') return;
    if (playing?.kind !== kind || playing.state !== 'connected') return this.start(kind);
    this.#abandon();
    const round = this.#round;
    try {
      const permit = await this.#source.permit(kind, true);
      if (round !== this.#round || (await playing.change(permit)) || round !== this.#round) return;
    } catch (error) {
      return this.#failed(error);
    }
    await this.start(kind);
  }

  /** Nothing but text from now on, or sound again by itself. */
  choose(chosen: Chosen): void {
    if (this.chosen === chosen || this.state === 'closed') return;
    this.#chose(chosen);
    if (chosen === 'auto') return this.retry();
    this.#hush('here');
    this.#reads();
  }

  #chose(chosen: Chosen): void {
    if (this.chosen === chosen) return;
    this.chosen = chosen;
    this.#source.choose(chosen === 'text');
  }

  #reads(): void {
    this.rung = 'text';
    this.state = 'text';
  }

  /** Sends the microphone as it is now: after it was opened late or given back. */
  async sendMicrophone(): Promise<void> {
    for (const session of [this.#playing, this.#coming]) {
      if (session?.kind === 'stage') await session.send(this.#parts.microphone.track);
    }
    this.#parts.uplink?.sendMicrophone();
  }

  /** The person tapped: browsers now let the sound play. */
  async tapped(): Promise<void> {
    if (await this.#playing?.sound()) this.state = 'on';
  }

  /** Tries again at once: somebody pressed the button, or the network came back. */
  retry(): void {
    this.#again.reset();
    this.#webAgain.reset();
    if (this.#playing?.state !== 'connected') this.state = 'connecting';
    void this.start(this.kind);
  }

  stop(how: Farewell): void {
    this.#hush(how);
    for (const stop of this.#stops) stop();
    this.#parts.levels.stop();
    this.state = 'closed';
  }

  #hush(how: Farewell): void {
    this.#abandon();
    this.#web.drop();
    this.#webAgain.stop();
    this.#lost?.close(how);
    this.#playing?.close(how);
    this.#lost = this.#playing = null;
    this.#parts.uplink?.down();
    this.#parts.ear.rest();
    this.relay = this.way = '';
  }

  /** Another network, or the same one again: nothing is known of it. */
  #elsewhere(): void {
    this.#parts.hint.forget();
    if (this.state === 'reconnecting' || this.state === 'blocked' || this.state === 'full' || this.#playing?.rung === 'https') this.retry();
  }

  /** What waits to be begun is not begun. */
  #rest(): void {
    this.#stopRenewal?.();
    this.#again.stop();
  }

  #abandon(): void {
    this.#round++;
    this.#rest();
    this.#stopAsking?.();
    this.#stopWaiting?.();
    this.#coming?.close('here');
    this.#coming = null;
  }

  #changed(session: Session, state: SessionState): void {
    if (session === this.#lost) return this.#lostChanged(session, state);
    if (state === 'connected' && session === this.#coming) this.#whenHeard(session);
    else if (state === 'connected' && session === this.#playing) void this.#isBack(session);
    else if (state === 'lost' && session === this.#playing) this.#broke();
    else if (state === 'failed' && session === this.#coming) this.#failed(null);
    else if (state === 'failed' && session === this.#playing && !this.#coming) {
      this.state = 'reconnecting';
      this.renew(soon);
    }
  }

  /** A call that nothing is heard of: what is below is brought up at once, for it may be the network. */
  #broke(): void {
    this.state = 'reconnecting';
    if (!this.#web.comes) this.#descend('broke', fall);
  }

  /** The call that had broken came back by itself, or did not. */
  #lostChanged(session: Session, state: SessionState): void {
    if (state === 'connected') {
      this.#lost = null;
      session.silence(false);
      return void this.#takeOver(session);
    }
    if (state !== 'failed') return;
    session.close('here');
    this.#lost = null;
    if (!this.#coming) this.renew(soon);
  }

  /** What was lost sounds again by itself; whether the browser wants a tap is asked again. */
  async #isBack(session: Session): Promise<void> {
    this.#web.drop();
    const sounds = await session.sound();
    if (session === this.#playing && session.state === 'connected') this.state = sounds ? 'on' : 'tap';
  }

  /** The relay has answered and nothing comes of it: that is the network between. */
  #late(session: Session): void {
    if (session !== this.#coming || session.state === 'connected') return;
    this.#isBlocked();
    if (this.#playing?.state !== 'connected' && !this.#web.comes) this.#descend('blocked');
  }

  /** The network is what blocks: what plays below is what there is. */
  #isBlocked(): void {
    this.#blocked = true;
    if (this.#playing?.rung !== 'https') return;
    this.cause = 'blocked';
    this.#parts.hint.note('https');
    if (this.state === 'reconnecting' && this.#playing.state === 'connected') this.state = 'on';
  }

  #descend(cause: Cause, within = 0): void {
    this.cause = cause;
    this.#blocked = cause !== 'broke';
    this.#webAgain.stop();
    this.#web.begin(this.kind, within);
  }

  #webSounds(session: Session): void {
    if (session === this.#playing) return void this.#webPlays(session);
    const call = this.#playing?.rung === 'call' ? this.#playing : null;
    // The call has won meanwhile.
    if (call?.state === 'connected') return session.close('here');
    const before = this.#playing;
    if (call?.state === 'lost') this.#lost = call;
    this.#playing = session;
    this.relay = this.way = '';
    this.rung = 'https';
    this.#webAgain.reset();
    this.#parts.ear.rest();
    void this.#webPlays(session).then(() => {
      if (before === this.#lost) before?.silence();
      else before?.close('here');
    });
    if (this.kind === 'stage') this.#parts.uplink?.up();
    this.#look();
  }

  async #webPlays(session: Session): Promise<void> {
    const sounds = await session.sound();
    if (session !== this.#playing || session.state !== 'connected') return;
    if (this.cause === 'blocked') this.#parts.hint.note('https');
    // A relay that stands still brings silence this way, too: then it is not the network, and nothing is heard.
    if (!sounds) this.state = 'tap';
    else if (this.#blocked || session.heard) this.state = 'on';
  }

  #webStalls(session: Session): void {
    if (session !== this.#playing) return;
    this.state = 'reconnecting';
    if (!this.#coming) this.renew(soon);
  }

  #webFailed(error: unknown): void {
    const reason = reasonOf(error);
    if (endsSeat(reason)) return this.#source.refused(reason);
    if (this.#playing?.state === 'connected') {
      if (this.#playing.rung === 'https') this.#webAgain.again(() => this.#web.begin(this.kind));
      return;
    }
    if (this.#playing?.rung === 'https') {
      this.#playing.close('here');
      this.#playing = null;
    }
    if (this.#blocked && this.cause === 'blocked') {
      this.state = 'blocked';
      if (this.rung !== 'text') this.#source.muffled();
      this.rung = 'text';
    }
    this.#webAgain.again(() => this.#web.begin(this.kind));
  }

  /** Takes over once the new session carries sound: what plays goes on until then. */
  #whenHeard(session: Session): void {
    const before = this.#playing;
    if (before?.state !== 'connected' || before.kind !== 'audience' || session.kind !== 'audience') return void this.#takeOver(session);
    const { clock } = this.#parts;
    const latest = clock.now() + silent;
    this.#stopAsking?.();
    const stop = clock.every(ask, () => {
      if (!session.heard && before.state === 'connected' && clock.now() < latest) return;
      stop();
      if (session === this.#coming) void this.#takeOver(session);
    });
    this.#stopAsking = stop;
  }

  async #takeOver(session: Session): Promise<void> {
    this.#coming = null;
    this.#stopWaiting?.();
    this.#web.drop();
    this.#webAgain.stop();
    const before = this.#playing;
    this.#playing = session;
    this.relay = session.relay;
    this.rung = 'call';
    this.#parts.hint.note('call');
    this.#parts.uplink?.down();
    this.#again.reset();
    this.#lost?.close('here');
    this.#lost = null;
    before?.silence();
    if (session.kind === 'stage') this.#parts.ear.follow(session);
    else this.#parts.ear.rest();
    this.state = (await session.sound()) ? 'on' : 'tap';
    // A seat that changed between audience and stage has a new epoch: the relay ends what belonged to the old one.
    before?.close(before.kind === session.kind ? 'here' : 'ended');
  }

  #failed(error: unknown): void {
    this.#stopWaiting?.();
    this.#coming?.close('here');
    this.#coming = null;
    const reason = reasonOf(error);
    if (endsSeat(reason)) return this.#source.refused(reason);
    const full = lacksRoom(error);
    // Negotiated but never connected: that is the network between, not the server.
    if (error === null) this.#isBlocked();
    this.#rest();
    if (this.#playing?.state === 'connected' && this.#playing.rung === 'https' && error === null) {
      this.#stopRenewal = this.#parts.clock.after(climb + this.#parts.random() * spread, () => void this.start(this.kind));
      return;
    }
    if (this.#playing?.state !== 'connected') {
      if (error !== null) this.state = full ? 'full' : 'reconnecting';
      if ((full || error === null) && !this.#web.comes) this.#descend(full ? 'full' : 'blocked');
    }
    this.#again.again(() => void this.start(this.kind));
  }

  /** How the sound comes, for the sign; and whether somebody is heard to speak where it was not sure that anything is. */
  #look(): void {
    const playing = this.#playing;
    if (!playing) return;
    if (this.way !== playing.way) this.way = playing.way;
    if (playing.rung !== 'https') return;
    if (Math.abs(playing.behind - this.behind) > steady) this.behind = Math.max(1, Math.round(playing.behind));
    if (this.state === 'reconnecting' && playing.state === 'connected' && playing.heard) this.state = 'on';
  }
}
