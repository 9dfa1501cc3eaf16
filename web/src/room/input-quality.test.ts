// What interpreters are told of the sound of the stage: whose it is, what is wrong with it, and no longer than it is true.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { InputFault, InputQualitySchema, InputVerdict, SpeakerQualitySchema, type SpeakerQuality } from '../gen/majlis/room_directory/v1/input_quality_pb.ts';
import { Role } from '../gen/majlis/room_directory/v1/room_pb.ts';
import { FakeClock } from '../testing/clock.ts';
import { seat } from './fixtures.ts';
import { judged, StageQuality } from './input-quality.svelte.ts';

const of = (userId: string, verdict: InputVerdict, more: MessageInitShape<typeof SpeakerQualitySchema> = {}): SpeakerQuality => create(SpeakerQualitySchema, { userId, verdict, ...more });

test('what was measured is shown until it is too old to say anything of now', async () => {
  const clock = new FakeClock();
  const quality = new StageQuality(clock);
  const told = create(InputQualitySchema, { speakers: [of('lina00000001', InputVerdict.GOOD)], booths: [{ language: 'ar', delayMs: 2_400 }, { language: 'ru' }] });
  quality.take(told);
  await clock.pass(20_000);
  quality.take(told);
  await clock.pass(20_000);
  expect([quality.speakers.length, quality.delay('ar'), quality.delay('ru'), quality.delay('fr')]).toEqual([1, 2_400, null, null]);
  await clock.pass(5_000);
  expect([quality.speakers.length, quality.delay('ar')]).toEqual([0, null]);
});

test('who is hard to work from comes first; who is muted, in a booth, gone or has hardly spoken is left out', () => {
  const stage = [seat('lina00000001'), seat('omar00000001'), seat('mute00000001', Role.SPEAKER, { muted: true }), seat('vera00000001', Role.INTERPRETER, { language: 'ar' }), seat('newc00000001')];
  const speakers = [
    of('lina00000001', InputVerdict.GOOD),
    of('omar00000001', InputVerdict.POOR, { faults: [InputFault.QUIET] }),
    of('mute00000001', InputVerdict.POOR),
    of('vera00000001', InputVerdict.POOR),
    of('newc00000001', InputVerdict.UNSPECIFIED),
    of('gone00000001', InputVerdict.POOR),
  ];
  expect(judged(speakers, stage).map(({ seat: one, poor }) => [one.person?.userId, poor])).toEqual([['omar00000001', true], ['lina00000001', false]]);
});
