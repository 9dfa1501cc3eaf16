// Stand-ins for what a room is made of: each keeps what was done to it, and does what a test tells it to.
import type { RoomEvent } from '../gen/majlis/room_directory/v1/room_events_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Source, Tuning } from '../media/ear/ear.ts';
import type { Farewell, Permit, SessionKind } from '../media/session.ts';
import type { Hearing } from '../media/stage-ear.ts';
import type { Stop } from '../lib/clock.ts';
import type { TicketBox } from '../room/entry.svelte.ts';
import type { StreamListener } from '../room/events.ts';
import type { Stream } from '../room/feed.svelte.ts';
import type { PlaceLocks } from '../room/place-locks.ts';
import type { Sounding, Voice } from '../room/sound-follower.ts';
import type { Uplink } from '../room/sound-parts.ts';
import type { SpeakerState } from '../room/web-speaker.svelte.ts';
import type { Cause, Chosen, Rung } from '../room/rungs.ts';
import type { Refusal } from '../lib/refusal.ts';

export class FakeMicrophone implements Voice {
  /** What happened to it, in order. */
  readonly did: string[] = [];
  track = null;
  allowed = true;

  open = async (): Promise<boolean> => {
    this.did.push('open');
    return this.allowed;
  };
  granted = async (): Promise<boolean> => true;
  enable = (on: boolean): void => void this.did.push(on ? 'on' : 'off');
  close = (): void => void this.did.push('close');
  hold = (): void => void this.did.push('hold');
  release = (): void => void this.did.push('release');
  level = (): number => 0;
  cough = (on: boolean): void => void this.did.push(on ? 'cough' : 'coughed');
}

export class FakeSound implements Sounding {
  kind: SessionKind = 'audience';
  relay = 'relay1';
  rung: Rung = 'call';
  way = 'udp';
  cause: Cause = 'blocked';
  behind = 0;
  chosen: Chosen = 'auto';
  choose = (chosen: Chosen): void => void (this.chosen = chosen);
  taps = 0;
  tapped = async (): Promise<void> => void this.taps++;
  bytes = 0;
  spent = (): number => this.bytes;
  readonly started: { kind: SessionKind; permit: Permit | undefined }[] = [];
  readonly renewed: number[] = [];
  sent = 0;
  changes = 0;
  change = async (): Promise<void> => void this.changes++;
  stopped: Farewell | null = null;

  start = async (kind: SessionKind, permit?: Permit): Promise<void> => {
    this.kind = kind;
    this.started.push({ kind, permit });
  };
  renew = (spread: number): void => void this.renewed.push(spread);
  sendMicrophone = async (): Promise<void> => void this.sent++;
  stop = (how: Farewell): void => void (this.stopped ??= how);
}

/** A voice over the web that only keeps what was asked of it. */
export class FakeSpeaker implements Uplink {
  state: SpeakerState = 'off';
  readonly did: string[] = [];
  up = (): void => void this.did.push('up');
  down = (): void => void this.did.push('down');
  renew = (): void => void this.did.push('renew');
  sendMicrophone = (): void => void this.did.push('microphone');
}

/** An event stream that brings what a test says. */
export class FakeStream implements Stream {
  readonly listener: StreamListener;
  /** How it was asked again for what was missed: afresh, or after what is shown. */
  readonly asked: boolean[] = [];
  closed = false;

  constructor(listener: StreamListener) {
    this.listener = listener;
  }

  close = (): void => void (this.closed = true);
  resync = (afresh: boolean): void => void this.asked.push(afresh);
  renewals = 0;
  renew = (): void => void this.renewals++;
  opens = (): void => this.listener.connected(true);
  breaks = (): void => this.listener.connected(false);
  stands = (still: boolean): void => this.listener.quiet(still);
  brings = (...events: RoomEvent[]): void => events.forEach((event) => this.listener.event(event));
  isRefused = (refusal: Refusal): void => this.listener.refused(refusal);
}

/** An ear that only keeps how it is to hear. */
export class FakeEar {
  hearing: Hearing = null;
  readonly tuned: [Source, Tuning][] = [];
  hear = (hearing: Hearing): void => void (this.hearing = hearing);
  tune = (source: Source, tuning: Tuning): void => void this.tuned.push([source, tuning]);
}

/** The ticket of a tab, and what the other tabs of its browser noted of the place. */
export class FakeBox implements TicketBox {
  ticket = '';
  stands = false;

  get = (): string => this.ticket;
  put = (ticket: string): void => void (this.ticket = ticket);
  lose = (): void => void (this.ticket = '');
}

/** What a tab learns of the others of its browser, as a test says it. */
export class FakeLocks implements PlaceLocks {
  held = 0;
  /** Calls back whoever waits for the place to be left. */
  left: (() => void) | null = null;

  hold = (): Stop => {
    this.held++;
    return () => void this.held--;
  };
  whenFree = (found: () => void, act: () => void): Stop => {
    found();
    this.left = act;
    return () => void (this.left = null);
  };
}

export class FakeToasts {
  readonly said: { key: Key; values: Record<string, string | number> }[] = [];
  readonly refused: unknown[] = [];
  undo: (() => unknown) | undefined;

  say = (key: Key, values: Record<string, string | number> = {}, undo?: () => unknown): void => {
    this.said.push({ key, values });
    this.undo = undo;
  };
  attempt = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (error) {
      this.refused.push(error);
      return undefined;
    }
  };
}

/** Texts that show which text was asked for. */
export const plainWords = { t: (key: Key): string => key, languageName: (code: string): string => code };
