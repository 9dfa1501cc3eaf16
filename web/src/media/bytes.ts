// What a connection took from somebody's data. Pure.

/** Of a connection's statistics: all that went over the network for it, with what UDP and IP add to each packet (IPv4: 28 bytes). */
export function bytesIn(rows: readonly Record<string, unknown>[]): number {
  const of = (row: Record<string, unknown>, name: string): number => (typeof row[name] === 'number' ? row[name] : 0);
  let sum = 0;
  for (const row of rows) {
    if (row['type'] !== 'transport') continue;
    sum += of(row, 'bytesReceived') + of(row, 'bytesSent') + 28 * (of(row, 'packetsReceived') + of(row, 'packetsSent'));
  }
  return sum;
}
