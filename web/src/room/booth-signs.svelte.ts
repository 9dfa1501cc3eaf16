// Signs that booths give: the chat and the signs of the own booth, and lamps for whoever speaks. Nothing of it is kept by the server.
import { BoothSignalKind } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { BoothSignalled } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import type { Key } from '../i18n/i18n.svelte.ts';
import type { Clock, Stop } from '../lib/clock.ts';

/** A line of the booth's chat. */
export interface ChatLine {
  number: number;
  userId: string;
  text: string;
}

/** Why one is on air without having taken over: the partner's connection is lost, the partner has gone, or it is not known. */
export type Turn = 'lost' | 'left' | 'turn';

/** A sign that stands for a while: minutes left, that the partner shall take over, or that one is on air now. */
export interface BoothSign {
  number: number;
  kind: BoothSignalKind | Turn;
  userId: string;
}

export const turnWords: Record<Turn, Key> = { lost: 'desk.turnLost', left: 'desk.turnLeft', turn: 'desk.turnNow' };

/** What interpreters ask of whoever speaks. */
export interface Lamp {
  number: number;
  kind: BoothSignalKind;
  language: string;
}

const mostLines = 50;
/** How long a lamp burns, and a sign stands. */
const lampFor = 8_000;
const signFor = 20_000;
const lamps: readonly BoothSignalKind[] = [BoothSignalKind.SLOWER, BoothSignalKind.LOUDER, BoothSignalKind.SOFTER, BoothSignalKind.REPEAT, BoothSignalKind.MICROPHONE];

export class BoothSigns {
  chat = $state.raw<readonly ChatLine[]>([]);
  sign = $state.raw<BoothSign | null>(null);
  lamps = $state.raw<readonly Lamp[]>([]);
  /** Where somebody sits at the desk that shows them, nothing else needs to tell of signs. */
  attended = false;
  readonly #clock: Clock;
  #number = 0;
  #stopSign: Stop | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The desk is on the page, until what is given back is called. */
  attend(): Stop {
    this.attended = true;
    return () => void (this.attended = false);
  }

  take({ kind, text, language, byUserId }: BoothSignalled): void {
    const number = ++this.#number;
    if (kind === BoothSignalKind.CHAT) {
      this.chat = [...this.chat, { number, userId: byUserId, text }].slice(-mostLines);
    } else if (lamps.includes(kind)) {
      this.lamps = [...this.lamps.filter((lamp) => lamp.kind !== kind || lamp.language !== language), { number, kind, language }];
      this.#clock.after(lampFor, () => (this.lamps = this.lamps.filter((lamp) => lamp.number !== number)));
    } else if (kind !== BoothSignalKind.TECHNICIAN) {
      this.#stand({ number, kind, userId: byUserId });
    }
  }

  /** The person is on air without having asked for it; `userId` was before. */
  fallsToMe(turn: Turn, userId: string): void {
    this.#stand({ number: ++this.#number, kind: turn, userId });
  }

  #stand(sign: BoothSign): void {
    this.sign = sign;
    this.#stopSign?.();
    this.#stopSign = this.#clock.after(signFor, () => (this.sign = null));
  }

  /** Somebody else is on air: what was asked for is done. */
  answered(): void {
    this.sign = null;
  }

  /** Another booth, or none: what was said in this one is not for it. */
  clear(): void {
    this.chat = [];
    this.sign = null;
    this.#stopSign?.();
  }
}
