// The way in by an invitation: redeems it at once or, where newcomers come in one after another, waits for its turn and
// then redeems it by itself. What it needs for that outlives the page: the place belongs to the code.
import type { Client } from '@connectrpc/connect';
import type { DoorService } from '../gen/majlis/invite/v1/door_service_pb.ts';
import { DoorCause, DoorState, type Doors, type Place } from '../gen/majlis/invite/v1/doors_pb.ts';
import type { InviteService, RedeemInvitationResponse } from '../gen/majlis/invite/v1/invite_service_pb.ts';
import type { Clock, Stop } from './clock.ts';
import { requestId } from './ids.ts';
import { passes, reasonOf, retryAfter, valueOf } from './refusal.ts';

export interface Newcomer {
  displayName: string;
  handle: string;
}

/** What is kept of a redemption that is under way: a later page, or another tab, goes on with the same one. */
export interface Kept extends Newcomer {
  request: string;
}

/** Where it is kept. */
export interface Keeping {
  load(): Kept | null;
  save(kept: Kept | null): void;
}

export interface LineNeeds {
  code: string;
  invite: Pick<Client<typeof InviteService>, 'redeemInvitation'>;
  doors: Pick<Client<typeof DoorService>, 'getPlace' | 'setTurnLetter' | 'leaveLine'>;
  keeping: Keeping;
  clock: Clock;
  random: () => number;
  /** Interface language of the new account, and spoken at first. */
  language: () => string;
  /** The person is in. */
  entered: (answer: RedeemInvitationResponse) => void;
  /** Nothing more is to be waited for: shown, or put right and sent again. */
  refused: (refusal: unknown) => void;
}

/** Reasons by which the code waits for its turn. */
const waits = new Set(['DOORS_PACED', 'DOORS_PAUSED', 'LINE_FULL']);
/** After these only redeeming tells how it stands: perhaps this very redemption spent the code, in another tab. */
const unclear = new Set(['INVITATION_INVALID', 'INVITATION_CLAIMED', 'NOT_IN_LINE']);
const second = 1_000;
const leastLook = 1_000;
const lostLook = 4_000;
const elsewhereLook = 15_000;
const jitter = 0.2;

export class DoorLine {
  /** True from the first refusal on that asks to wait. */
  waiting = $state(false);
  /** False while the line is so long that the code has no place yet. */
  hasPlace = $state(true);
  place = $state(0);
  others = $state(0);
  /** Expected seconds, counted down between looks; undefined while nobody can say. */
  wait = $state<number | undefined>(undefined);
  doors = $state.raw<Doors | null>(null);
  paused = $state(false);
  /** True while another device waits in the code's place: nothing is done here until somebody says so. */
  elsewhere = $state(false);
  /** True while an address is left with the place: a letter tells of the turn to whom closed the page. */
  letter = $state(false);
  /** True once that letter went out: the address is forgotten then. */
  letterSent = $state(false);
  /** True where who waits may leave one. */
  letters = $derived(this.doors?.letters ?? false);
  /** True while nothing is heard of the place. */
  away = $state(false);
  unknown = $derived(this.doors?.cause === DoorCause.UNKNOWN);
  /** An operator's order says nothing about the room there is. */
  ordered = $derived(this.doors?.cause === DoorCause.OPERATOR);
  readonly #needs: LineNeeds;
  #kept: Kept | null = null;
  #timer: Stop | null = null;
  #ticks: Stop | null = null;
  #looking = false;
  #over = false;

  constructor(needs: LineNeeds) {
    this.#needs = needs;
  }

  /** Goes on with what was under way; false when nothing was. */
  resume(): boolean {
    this.#kept = this.#needs.keeping.load();
    if (!this.#kept) return false;
    this.waiting = true;
    void this.#look();
    return true;
  }

  /** Who asks to come in, as they were typed last. */
  get newcomer(): Newcomer | null {
    return this.#kept;
  }

  /** Takes how the doors stand, as another answer told it. */
  adopt(doors: Doors | undefined): void {
    if (!doors) return;
    this.doors = doors;
    this.paused = doors.state === DoorState.PAUSED;
  }

  /** Asks to come in; what refuses for good is thrown. */
  async enter(newcomer: Newcomer): Promise<void> {
    // The same number after a lost answer: it is the same redemption, not a second one.
    this.#kept = { request: this.#needs.keeping.load()?.request ?? requestId(), ...newcomer };
    this.#needs.keeping.save(this.#kept);
    await this.#redeem();
  }

  /** Leaves an address for a letter about the turn, or with '' takes it back; what refuses is thrown. */
  async leaveAddress(email: string): Promise<void> {
    await this.#needs.doors.setTurnLetter({ code: this.#needs.code, email, locale: this.#needs.language() });
    this.letter = email !== '';
    this.letterSent = false;
  }

  /** Waits here again instead of on the other device; what refuses for good is thrown. */
  async takeBack(): Promise<void> {
    this.#timer?.();
    try {
      await this.#redeem();
    } catch (refusal) {
      if (passes(refusal) || reasonOf(refusal) === 'INVITATION_CLAIMED') throw refusal;
      this.#refuse(refusal);
    }
  }

  /** Gives the place up; the invitation stays as it was. What refuses is thrown, and the place stands then. */
  async giveUp(): Promise<void> {
    try {
      await this.#needs.doors.leaveLine({ code: this.#needs.code, requestId: this.#kept?.request ?? '' });
    } catch (refusal) {
      // Whoever waits on another device keeps what this one leaves; what is over is left already.
      if (!['PLACE_ELSEWHERE', 'INVITATION_INVALID'].includes(reasonOf(refusal))) throw refusal;
    }
    this.stop();
    this.waiting = false;
    this.#needs.keeping.save(null);
  }

  /** Looks now instead of at its time: the network is back, or the page is looked at again. */
  hurry(): void {
    if (this.waiting && !this.#looking && !this.#over) void this.#look();
  }

  /** The page goes; the place stays. */
  stop(): void {
    this.#over = true;
    this.#timer?.();
    this.#ticks?.();
  }

  async #redeem(): Promise<void> {
    if (!this.#kept || this.#over) return;
    const { request, displayName, handle } = this.#kept;
    const language = this.#needs.language();
    const profile = { displayName, handle, locale: language, spokenLanguages: [language] };
    let answer: RedeemInvitationResponse;
    try {
      answer = await this.#needs.invite.redeemInvitation({ code: this.#needs.code, requestId: request, profile });
    } catch (error) {
      const reason = reasonOf(error);
      if (!waits.has(reason)) throw error;
      this.#told(error, reason);
      this.#later(retryAfter(error));
      return;
    }
    this.stop();
    this.#needs.keeping.save(null);
    this.#needs.entered(answer);
  }

  /** The refusal says the place; how the doors stand comes with the next look. */
  #told(refusal: unknown, reason: string): void {
    const wait = valueOf(refusal, 'wait_seconds');
    this.waiting = true;
    this.elsewhere = false;
    this.away = false;
    this.paused = reason === 'DOORS_PAUSED';
    this.hasPlace = reason !== 'LINE_FULL';
    this.place = Number(valueOf(refusal, 'place')) || 0;
    this.others = Number(valueOf(refusal, 'waiting')) || 0;
    this.#expect(wait ? Number(wait) : undefined);
  }

  /** Takes how long it will be, and counts it down until the next word; never while nothing is heard of the place. */
  #expect(seconds: number | undefined): void {
    this.#ticks?.();
    this.wait = seconds;
    if (seconds === undefined || this.#over) return;
    this.#ticks = this.#needs.clock.every(second, () => {
      if (!this.away && this.wait !== undefined) this.wait = Math.max(0, this.wait - 1);
    });
  }

  #later(span: number): void {
    if (this.#over) return;
    this.#timer?.();
    const spread = 1 - jitter + 2 * jitter * this.#needs.random();
    this.#timer = this.#needs.clock.after(Math.max(leastLook, span) * spread, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.#timer?.();
    this.#looking = true;
    try {
      await this.#ask();
    } finally {
      this.#looking = false;
    }
  }

  async #ask(): Promise<void> {
    try {
      if (!this.hasPlace) return await this.#redeem();
      const { place, doors } = await this.#needs.doors.getPlace({ code: this.#needs.code, requestId: this.#kept?.request ?? '' });
      this.away = false;
      this.elsewhere = false;
      this.adopt(doors);
      if (!place) return this.#later(lostLook);
      this.#show(place);
      if (place.turn) await this.#redeem();
      else this.#later(place.lookSeconds * 1000);
    } catch (error) {
      await this.#unsure(error);
    }
  }

  #show(place: Place): void {
    this.place = place.place;
    this.others = place.waiting;
    this.letter = place.letter;
    this.letterSent = place.letterSent;
    this.#expect(place.waitSeconds);
  }

  async #unsure(error: unknown): Promise<void> {
    const reason = reasonOf(error);
    if (reason === 'PLACE_ELSEWHERE') this.elsewhere = true;
    // The other device is the one that redeems: only once the code is spent, or over, is that said here.
    const leaves = this.elsewhere && reason !== 'INVITATION_INVALID' && (unclear.has(reason) || reason === 'PLACE_ELSEWHERE');
    if (leaves) {
      this.away = false;
      return this.#later(elsewhereLook);
    }
    if (unclear.has(reason)) {
      try {
        return await this.#redeem();
      } catch (refusal) {
        if (!passes(refusal) && reasonOf(refusal) !== 'INVITATION_CLAIMED') return this.#refuse(refusal);
      }
    } else if (!passes(error)) {
      return this.#refuse(error);
    }
    this.away = !unclear.has(reason);
    this.#later(Math.max(lostLook, retryAfter(error)));
  }

  #refuse(refusal: unknown): void {
    if (this.#over) return;
    this.#ticks?.();
    this.waiting = false;
    this.#needs.refused(refusal);
  }
}

const lastSlot = 'redeeming';

/** The invitation by which this browser asked to come in last, and still waits; null when it does by none. */
export function codeInLine(recall: (key: string) => string | null): string | null {
  const code = recall(lastSlot);
  return code && read(recall(`redeem.${code}`)) ? code : null;
}

/** Keeps it with the browser, so that a page that was closed goes on where it was. */
export function keepingIn(recall: (key: string) => string | null, keep: (key: string, value: string | null) => void, code: string): Keeping {
  const slot = `redeem.${code}`;
  return {
    load: () => read(recall(slot)),
    save: (kept) => {
      keep(slot, kept && JSON.stringify(kept));
      if (kept) keep(lastSlot, code);
      else if (recall(lastSlot) === code) keep(lastSlot, null);
    },
  };
}

function read(text: string | null): Kept | null {
  if (!text) return null;
  try {
    const found = JSON.parse(text) as Partial<Kept> | null;
    const { request, displayName, handle } = found ?? {};
    return typeof request === 'string' && typeof displayName === 'string' && typeof handle === 'string' ? { request, displayName, handle } : null;
  } catch {
    return null;
  }
}
