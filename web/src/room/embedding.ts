// What a moderator puts on another site, so that a room that is open to the web is heard there. Pure.

/** The small page of a room. */
export function addressOf(origin: string, room: string): string {
  return `${origin}/embed/${room}`;
}

const escapes: Record<string, string> = { '&': '&amp;', '"': '&quot;', '<': '&lt;', '>': '&gt;' };

/** HTML that shows it; a title is a stranger's text in that page. */
export function snippetOf(origin: string, room: string, title: string): string {
  const name = title.replace(/[&"<>]/g, (sign) => escapes[sign] ?? '');
  return `<iframe src="${addressOf(origin, room)}" title="${name}" width="100%" height="150" style="border:0;max-width:640px" allow="autoplay" loading="lazy"></iframe>`;
}
