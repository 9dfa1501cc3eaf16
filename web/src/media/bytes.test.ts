import { expect, test } from 'vitest';
import { bytesIn } from './bytes.ts';

test('both ways count, and the heads that networks add', () => {
  const rows = [
    { type: 'transport', bytesReceived: 1000, bytesSent: 100, packetsReceived: 10, packetsSent: 2 },
    { type: 'inbound-rtp', bytesReceived: 900, packetsReceived: 9 },
  ];
  expect(bytesIn(rows)).toBe(1100 + 12 * 28);
  expect(bytesIn([{ type: 'transport', bytesReceived: 5 }])).toBe(5);
});
