// Shows a component alone, with parts that tests play, and reads what a person would see of it.
import { flushSync, mount, unmount, type Component } from 'svelte';
import { create } from '@bufbuild/protobuf';
import { contextOf, roomContextOf, type Parts, type RoomSide } from '../app/parts.ts';
import { AccountSchema, type Account } from '../gen/majlis/auth/v1/account_pb.ts';
import { Words } from '../i18n/i18n.svelte.ts';
import en from '../i18n/en.json';
import { Api } from '../lib/api.ts';
import { waitsBy } from '../lib/back-off.ts';
import { Router } from '../lib/router.svelte.ts';
import { Session } from '../lib/session.svelte.ts';
import { Sharing } from '../lib/share.ts';
import { Tabs } from '../lib/tabs.ts';
import { Theme } from '../lib/theme.svelte.ts';
import { Toasts } from '../lib/toasts.svelte.ts';
import { Levels } from '../media/levels.ts';
import { Microphone } from '../media/microphone.svelte.ts';
import { Chime } from '../media/chime.ts';
import { RoomActions } from '../room/actions.ts';
import { BoothActions } from '../room/booth-actions.ts';
import { CaptionActions } from '../room/caption-actions.ts';
import { Reading } from '../room/reading.svelte.ts';
import { Choices } from '../room/choices.ts';
import { Desk } from '../room/desk.svelte.ts';
import { me, person, start, view } from '../room/fixtures.ts';
import { LiveRoom } from '../room/live.svelte.ts';
import { KeptPlaces } from '../room/kept-places.svelte.ts';
import { Player } from '../room/player.svelte.ts';
import { Thrift } from '../room/thrift.svelte.ts';
import type { CaptionListener } from '../room/captions.svelte.ts';
import type { RoomView } from '../room/reducer.ts';
import type { Sound } from '../room/sound.svelte.ts';
import type { WebSpeaker } from '../room/web-speaker.svelte.ts';
import { createRouterTransport, type ConnectRouter } from '@connectrpc/connect';
import { FakeClock, FakeNetwork, settled } from './clock.ts';
import { FakeBox, FakeEar, FakeLocks, FakeMicrophone, FakeSound, FakeSpeaker, FakeStream } from './room.ts';

/** A router that only writes down where it was sent. */
class FakeRouter extends Router {
  readonly went: string[] = [];
  override go(path: string): void {
    this.went.push(path);
  }
}

/** A microphone whose state a test sets; the rest of it is played. */
class ShownMicrophone extends Microphone {
  readonly played = new FakeMicrophone();
  override open = this.played.open;
  override granted = this.played.granted;
  override enable = this.played.enable;
  override level = this.played.level;
  override close = this.played.close;
}

/** Everything a component may be given; `serve` answers the calls. */
export class Scene {
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork();
  readonly router = new FakeRouter();
  readonly microphone = new ShownMicrophone();
  readonly sound = new FakeSound();
  readonly speaker = new FakeSpeaker();
  readonly parts: Parts;
  readonly rooms: RoomSide;
  readonly ear = new FakeEar();
  /** The captions that a room follows. */
  watched: { language: string; listener: CaptionListener } | null = null;
  /** The languages that the person understands. */
  understands: string[] = [];
  readonly opened: string[] = [];
  /** What was chosen by hand in this tab. */
  chosen: string | null = null;
  /** Whether few bits were chosen. */
  saves: string | null = null;
  /** What other tabs noted of places in lines. */
  noted: string | null = null;
  readonly #shown: { root: HTMLElement; component: Record<string, unknown> }[] = [];

  constructor(serve: (router: ConnectRouter) => void = () => undefined) {
    const { clock, network, router } = this;
    const words = new Words();
    words.catalogue = en;
    const api = new Api((interceptors) => createRouterTransport(serve, { transport: { interceptors } }));
    const toasts = new Toasts(words, clock);
    const session = new Session({ api, router, words, tabs: new Tabs(null) });
    const sharing = new Sharing(toasts);
    const waits = waitsBy(clock, () => 1);
    const player = new Player(toasts, clock);
    const now = (): number => start;
    const places = new KeptPlaces({ recall: () => null, keep: () => undefined, recallAll: () => this.noted, keepAll: (text) => void (this.noted = text), me: () => session.me, leaveLine: (roomId, ticket) => api.rooms.leaveLine({ roomId, ticket }), clock, now });
    const choices = new Choices({ recall: () => this.chosen, keep: (text) => void (this.chosen = text), me: () => session.me });
    const thrift = new Thrift({ recall: () => this.saves, keep: (text) => void (this.saves = text), asked: () => false });
    this.parts = { api, choices, thrift, router, toasts, words, session, sharing, clock, network, waits, places, player, theme: new Theme(), levels: new Levels(clock), now };
    this.rooms = {
      actions: new RoomActions({ api, toasts, words, sharing, microphone: this.microphone }),
      microphone: this.microphone,
      booths: new BoothActions({ api, toasts, words }),
      captions: new CaptionActions({ api, toasts }),
      reading: new Reading({ recall: () => null, keep: () => undefined }),
      desk: new Desk({ ear: this.ear, recall: () => null, keep: () => undefined }),
      chime: new Chime(clock),
      onLockScreen: () => undefined,
      openRoom: (id) => (this.opened.push(id), this.room()),
    };
  }

  signIn(more: Partial<Account> = {}): void {
    this.parts.session.adopt(Object.assign(create(AccountSchema, { profile: person(me) }), more));
  }

  /** A room that shows this. */
  room(shown: RoomView | null = view()): LiveRoom {
    const { api, choices, clock, toasts, waits, words } = this.parts;
    const room = new LiveRoom('room00000001', '', me, {
      rooms: api.rooms,
      stage: api.stage,
      leaveAndGo: () => undefined,
      stream: (_id, listener) => new FakeStream(listener),
      captions: (_id, language, listener) => ((this.watched = { language, listener }), { close: () => void (this.watched = null) }),
      sound: () => this.sound as unknown as Sound,
      speaker: () => this.speaker as unknown as WebSpeaker,
      microphone: this.microphone,
      chime: () => undefined,
      toasts,
      words,
      clock,
      waits,
      tickets: () => new FakeBox(),
      places: () => new FakeLocks(),
      understands: () => this.understands,
      choices,
      thrift: this.parts.thrift,
      ear: this.ear,
      levels: this.parts.levels,
    });
    room.feed.view = shown;
    return room;
  }

  /** Shows a component in the page. */
  show<P extends Record<string, unknown>>(component: Component<P>, props: P): Shown {
    const root = document.createElement('div');
    document.body.append(root);
    const context = new Map<symbol, unknown>([...contextOf(this.parts), ...roomContextOf(this.rooms)]);
    this.#shown.push({ root, component: mount(component, { target: root, props, context }) as Record<string, unknown> });
    flushSync();
    return new Shown(root);
  }

  /** Takes everything off the page again. */
  async strike(): Promise<void> {
    for (const { root, component } of this.#shown.splice(0)) {
      await unmount(component);
      root.remove();
    }
  }
}

export class Shown {
  readonly root: HTMLElement;

  constructor(root: HTMLElement) {
    this.root = root;
  }

  /** What can be read, on one line. */
  get text(): string {
    flushSync();
    return (this.root.textContent ?? '').replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ').trim();
  }

  find(testid: string): HTMLElement | null {
    flushSync();
    return this.root.querySelector<HTMLElement>(`[data-testid="${testid}"]`);
  }

  get(testid: string): HTMLElement {
    const found = this.find(testid);
    if (!found) throw new Error(`nothing on the page is called ${testid}: ${this.text}`);
    return found;
  }

  /** The names of all buttons and links. */
  get buttons(): string[] {
    flushSync();
    return [...this.root.querySelectorAll('button, a')].map((one) => one.getAttribute('aria-label') ?? (one.textContent ?? '').replace(/\s+/g, ' ').trim());
  }

  /** Presses the button of a name or test id, and waits for what comes of it. */
  async press(name: string): Promise<void> {
    const buttons = [...this.root.querySelectorAll<HTMLElement>('button, a')];
    const found = this.find(name) ?? buttons.find((one) => (one.getAttribute('aria-label') ?? (one.textContent ?? '').trim()) === name);
    if (!found) throw new Error(`no button ${name} among ${this.buttons.join(', ')}`);
    found.click();
    await settled();
    flushSync();
  }

  async type(testid: string, text: string): Promise<void> {
    const field = this.get(testid) as HTMLInputElement;
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await settled();
    flushSync();
  }

  async send(): Promise<void> {
    this.root.querySelector('form')?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
    await settled();
    flushSync();
  }
}
