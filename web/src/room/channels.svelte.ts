// How many listen to what, for who moderates: asked for every few seconds while something on the page shows it.
import type { ChannelAudience } from '../gen/majlis/room_directory/v1/languages_pb.ts';
import type { Clock } from '../lib/clock.ts';
import { refreshing } from '../lib/refreshing.ts';

const every = 5_000;

export interface Audiences {
  /** False until the first answer. */
  readonly known: boolean;
  /** Who hears the stage as it is. */
  readonly floor: number;
  /** Who hears a booth, always or in turn with the floor. */
  of(language: string): number;
}

/** For the life of the component that asks; `wanted` says whether it needs them now. */
export function audiences(ask: () => Promise<readonly ChannelAudience[]>, clock: Clock, wanted: () => boolean = () => true): Audiences {
  let channels = $state.raw<readonly ChannelAudience[]>([]);
  const sum = (fits: (name: string) => boolean): number => channels.filter(({ channel }) => channel && fits(channel.name)).reduce((all, one) => all + one.listeners, 0);
  // A number beside each booth is a courtesy: without it the booths are as good.
  $effect(() => (wanted() ? refreshing(() => void ask().then((answer) => (channels = answer), () => undefined), every, clock) : undefined));
  return {
    get known() {
      return channels.length > 0;
    },
    get floor() {
      return sum((name) => name === 'floor');
    },
    of: (language) => sum((name) => name.split('-')[0] === language),
  };
}
