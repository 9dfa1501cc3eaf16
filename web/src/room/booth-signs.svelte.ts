// Signs that booths give: the chat and the signs of the own booth, and lamps for whoever speaks. Nothing of it is kept by the server.
import { BoothSignalKind } from '../gen/majlis/room_directory/v1/booth_pb.ts';
import type { BoothSignalled } from '../gen/majlis/room_directory/v1/booth_events_pb.ts';
import type { Clock, Stop } from '../lib/clock.ts';

/** A line of the booth's chat. */
export interface ChatLine {
  number: number;
  userId: string;
  text: string;
}

/** A sign to the booth that stands for a while: minutes left, or that the partner shall take over. */
export interface BoothSign {
  number: number;
  kind: BoothSignalKind;
  userId: string;
}

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
const lamps: readonly BoothSignalKind[] = [BoothSignalKind.SLOWER, BoothSignalKind.LOUDER, BoothSignalKind.REPEAT];

export class BoothSigns {
  chat = $state.raw<readonly ChatLine[]>([]);
  sign = $state.raw<BoothSign | null>(null);
  lamps = $state.raw<readonly Lamp[]>([]);
  readonly #clock: Clock;
  #number = 0;
  #stopSign: Stop | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take({ kind, text, language, byUserId }: BoothSignalled): void {
    const number = ++this.#number;
    if (kind === BoothSignalKind.CHAT) {
      this.chat = [...this.chat, { number, userId: byUserId, text }].slice(-mostLines);
    } else if (lamps.includes(kind)) {
      this.lamps = [...this.lamps.filter((lamp) => lamp.kind !== kind || lamp.language !== language), { number, kind, language }];
      this.#clock.after(lampFor, () => (this.lamps = this.lamps.filter((lamp) => lamp.number !== number)));
    } else if (kind !== BoothSignalKind.TECHNICIAN) {
      this.sign = { number, kind, userId: byUserId };
      this.#stopSign?.();
      this.#stopSign = this.#clock.after(signFor, () => (this.sign = null));
    }
  }

  /** Whoever took over has done what was asked for. */
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
