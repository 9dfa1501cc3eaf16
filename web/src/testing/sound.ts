// A room's sound with sessions, streams and a server that tests play.
import { waitsBy } from '../lib/back-off.ts';
import type { Farewell, IceServer, Permit, SessionKind, SessionState } from '../media/session.ts';
import type { Wish } from '../room/hearing.ts';
import type { Session } from '../room/sound-parts.ts';
import { Sound } from '../room/sound.svelte.ts';
import { FakeClock, FakeNetwork, settled } from './clock.ts';

export class FakeSession implements Session {
  readonly rung: 'call' | 'https' = 'call';
  state: SessionState = 'connecting';
  readonly way = 'udp';
  behind = 0;
  relay = 'relay0000001';
  receivers = [];
  heard = false;
  silenced = false;
  voices = [];
  changes = false;
  readonly changed: Permit[] = [];
  playable = true;
  farewell = '';

  constructor(
    readonly kind: SessionKind,
    private readonly tell: (state: SessionState) => void,
    readonly iceServers?: readonly IceServer[],
  ) {}

  open = async (): Promise<void> => undefined;
  send = async (): Promise<void> => undefined;
  change = async (permit: Permit): Promise<boolean> => (this.changed.push(permit), this.changes);
  sound = async (): Promise<boolean> => this.playable;
  silence = (silent = true): void => void (this.silenced = silent);
  close = (how: Farewell): void => {
    this.state = 'closed';
    this.farewell = how;
  };
  become(state: SessionState): void {
    this.state = state;
    this.tell(state);
  }
}

/** A stream over HTTPS. */
export class FakeWeb extends FakeSession {
  override readonly rung = 'https';
  readonly #refuse: (error: unknown) => void;

  constructor(kind: SessionKind, tell: (state: SessionState, error: unknown) => void) {
    super(kind, (state) => tell(state, null));
    this.#refuse = (error) => tell('failed', error);
  }

  fails(error: unknown = null): void {
    this.state = 'failed';
    this.#refuse(error);
  }
}

class FakeHint {
  low = false;
  readonly noted: string[] = [];
  note = (rung: string): void => void this.noted.push(rung);
  forget = (): void => void this.noted.push('forgotten');
}

export class SoundScene {
  readonly all: FakeSession[] = [];
  readonly webs: FakeWeb[] = [];
  readonly hint = new FakeHint();
  /** What became of the way up beside a stream. */
  readonly uplink: string[] = [];
  muffled = 0;
  /** Each permit that is asked for is refused by the next of these, as long as there are any. */
  readonly refusals: Error[] = [];
  readonly asked: SessionKind[] = [];
  readonly refused: string[] = [];
  /** How each session that took over is heard. */
  readonly heardBy: string[] = [];
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork();
  readonly sound: Sound;

  /** Whether text alone was chosen, each time. */
  readonly silences: boolean[] = [];

  /** `silent`: text alone was chosen before a reload. */
  constructor(silent = false) {
    const { clock, network, hint, uplink } = this;
    this.sound = new Sound(
      {
        permit: (kind) => this.#permit(kind),
        member: () => 0,
        refused: (reason) => void this.refused.push(reason),
        listening: <T>(open: (wish: Wish) => Promise<T>) => open({ language: '', understands: [], thrift: false }),
        silent: () => silent,
        choose: (silence) => void this.silences.push(silence),
        muffled: () => void this.muffled++,
      },
      {
        session: (kind, tell, servers) => kept(this.all, new FakeSession(kind, tell, servers)),
        web: (kind, tell) => kept(this.webs, new FakeWeb(kind, tell)),
        uplink: { up: () => void uplink.push('up'), down: () => void uplink.push('down'), sendMicrophone: () => void uplink.push('microphone') },
        hint,
        microphone: { track: null, level: () => 0 },
        levels: { start: () => undefined, stop: () => undefined },
        ear: { follow: () => void this.heardBy.push('ear'), rest: () => void this.heardBy.push('plain') },
        clock,
        waits: waitsBy(clock, () => 1),
        network,
        random: () => 1,
      },
    );
  }

  async #permit(kind: SessionKind): Promise<Permit> {
    this.asked.push(kind);
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    return { permit: 'p', path: '/whep/room00000001' };
  }

  async playing(): Promise<FakeSession> {
    await this.sound.start('audience');
    const session = this.all.at(-1) as FakeSession;
    session.become('connected');
    await settled();
    return session;
  }
}

function kept<T>(all: T[], one: T): T {
  all.push(one);
  return one;
}
