// What listening costs of somebody's data: bytes as they come, told as megabytes an hour. Pure.

/** Megabytes an hour before anything was measured: what is usual for a talk. */
export const usual = { full: 26, thrift: 7 };
/** So long it is measured before a number is told, and so much of the past counts. */
const shortest = 10_000;
const longest = 120_000;

export class Spending {
  /** How many bytes had come at a moment, the oldest first. */
  #seen: { at: number; bytes: number }[] = [];
  #total = 0;
  #last = 0;

  /** Takes what a session has counted so far; one that begins anew counts from nothing. */
  take(bytes: number, at: number): void {
    this.#total += bytes >= this.#last ? bytes - this.#last : bytes;
    this.#last = bytes;
    this.#seen.push({ at, bytes: this.#total });
    while (this.#seen[1] && at - this.#seen[1].at >= longest) this.#seen.shift();
  }

  /** What is heard now costs something else: what was before says nothing of it. */
  begin(): void {
    this.#seen = this.#seen.slice(-1);
  }

  /** Megabytes an hour as it goes just now; null until it was measured for a while. */
  get hourly(): number | null {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (!first || !last || last.at - first.at < shortest) return null;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 3.6;
  }
}
