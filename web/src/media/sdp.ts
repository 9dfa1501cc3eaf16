// Small, pure changes to session descriptions (RFC 8866) that the browser offers no call for.

/** Asks the sender to stop packets in silence (RFC 7587, usedtx) by the answer it obeys. */
export function withDtx(sdp: string): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1];
  if (!opus || new RegExp(`^a=fmtp:${opus} .*usedtx=1`, 'im').test(sdp)) return sdp;
  const fmtp = new RegExp(`^(a=fmtp:${opus} [^\\r\\n]*)`, 'gim');
  if (fmtp.test(sdp)) return sdp.replace(fmtp, '$1;usedtx=1');
  return sdp.replace(new RegExp(`^(a=rtpmap:${opus} opus[^\\r\\n]*)`, 'gim'), `$1\r\na=fmtp:${opus} usedtx=1`);
}

/** Codecs with redundancy (RFC 2198) first, then Opus; nothing else. */
export function withRed<C extends { mimeType: string }>(codecs: readonly C[]): C[] {
  const kind = (codec: C): number => ['audio/red', 'audio/opus'].indexOf(codec.mimeType.toLowerCase());
  return codecs.filter((codec) => kind(codec) >= 0).sort((a, b) => kind(a) - kind(b));
}
