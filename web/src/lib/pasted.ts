// Codes and links as people paste them: with the quotes, brackets and full stops of the sentence they stood in. Pure.

/** Marks that no reader sees: soft hyphen, zero-width characters, marks and isolates of direction (UAX 9), byte order mark. */
const invisible = /\p{Cf}/gu;
const around = /^[^A-Za-z0-9_-]+|[^A-Za-z0-9_-]+$/g;

/** A code, key or token without what surrounds it; what is inside stays, but for marks that nobody sees. */
export function tidy(text: string): string {
  return text.replace(invisible, '').replace(around, '');
}

/** The path without what the sentence around a link left at its end, and without a slash there. */
export function tidiedPath(path: string): string {
  const parts = decoded(path).split('/');
  while (parts.length > 1) {
    const last = tidy(parts.pop() ?? '');
    if (last) return [...parts, last].join('/');
  }
  return '/';
}

/** Addresses hold everything beyond ASCII percent-encoded (RFC 3986 §2.1); what is no such code is taken as it stands. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
