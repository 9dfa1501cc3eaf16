// Parser of server-sent events (HTML Living Standard, 9.2.6); pure: text in, messages out.

export interface SseMessage {
  id: string;
  event: string;
  data: string;
}

/** Keeps what is unfinished between chunks. */
export class SseParser {
  /** Milliseconds the server asked to wait before the next try; 0 when it did not. */
  retry = 0;
  #rest = '';
  #id = '';
  #event = '';
  #data: string[] = [];

  push(chunk: string): SseMessage[] {
    const text = this.#rest + chunk;
    // A carriage return at the end may be half of a pair: it waits.
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    const lines = text.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + text.slice(end);
    const messages: SseMessage[] = [];
    for (const line of lines) {
      const message = this.#line(line);
      if (message) messages.push(message);
    }
    return messages;
  }

  #line(line: string): SseMessage | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }

  #dispatch(): SseMessage | null {
    const message = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') };
    const any = this.#data.length > 0 || this.#event !== '';
    this.#data = [];
    this.#event = '';
    return any ? message : null;
  }
}
