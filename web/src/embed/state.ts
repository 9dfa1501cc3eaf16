// What anybody may know of a room that is open to the web, as the gateway tells it.

export interface OnStage {
  name: string;
  heard: boolean;
  /** Of their booth; empty on the floor. */
  language: string;
}

export interface WebState {
  /** `closed`: not open to the web, or no such room. */
  state: 'live' | 'waiting' | 'over' | 'closed';
  title: string;
  language: string;
  /** Of its booths. */
  languages: string[];
  stage: OnStage[];
  /** When to ask again. */
  seconds: number;
}

const states = ['live', 'waiting', 'over', 'closed'] as const;

/** Reads an answer; what is missing or odd in it counts as nothing. */
export function read(answer: unknown): WebState {
  const given = (typeof answer === 'object' && answer ? answer : {}) as Record<string, unknown>;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const seconds = Number(given['ask_again_seconds']);
  return {
    state: states.find((each) => each === given['state']) ?? 'closed',
    title: text(given['title']),
    language: text(given['language']),
    languages: list(given['languages']).map(text).filter(Boolean),
    stage: list(given['stage']).map((each) => {
      const person = (typeof each === 'object' && each ? each : {}) as Record<string, unknown>;
      return { name: text(person['name']), heard: person['heard'] === true, language: text(person['language']) };
    }),
    seconds: seconds >= 1 && seconds <= 600 ? seconds : 10,
  };
}

/** Names of those who can be heard now in a language, or on the floor. */
export function heardIn(room: WebState, language: string): string[] {
  const inBooth = room.languages.includes(language) ? language : '';
  return room.stage.filter((each) => each.heard && each.language === inBooth && each.name).map((each) => each.name);
}

/** Where the sound of a room is. */
export function soundPath(room: string, language: string, ending: string): string {
  return `/listen/w/${room}${language ? `/${language}` : ''}.${ending}`;
}

/** Why the gateway lets nobody in. */
export class Refused extends Error {
  readonly reason: string;
  readonly seconds: number;

  constructor(reason: string, seconds = 0) {
    super(reason);
    this.reason = reason;
    this.seconds = seconds;
  }
}

/** What an answer refuses with; no reason where it may pass by itself. */
export async function refusedBy(answer: Response): Promise<Refused> {
  const told: unknown = await answer.json().catch(() => null);
  const reason = typeof told === 'object' && told && 'reason' in told && typeof told.reason === 'string' ? told.reason : '';
  const known = ['WEB_CLOSED', 'WEB_FULL', 'BOOTH_UNKNOWN'].includes(reason);
  return new Refused(known ? reason : '', Number(answer.headers.get('retry-after')) || 0);
}
