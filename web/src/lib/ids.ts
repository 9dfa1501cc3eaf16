// Random numbers that name a request, so that a retry is the same request.

/** 128 random bits, hexadecimal. */
export function requestId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
