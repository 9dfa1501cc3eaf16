// Time, as the client's parts are given it: what it is, and being called back later. Tests bring one that they move themselves.

/** Takes back what was asked for. */
export type Stop = () => void;

export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Calls back once, after `span` milliseconds. */
  after(span: number, act: () => void): Stop;
  /** Calls back every `span` milliseconds. */
  every(span: number, act: () => void): Stop;
}

/** Hears that the browser lost the network, or found it again. */
export interface Network {
  whenBack(act: () => void): Stop;
  whenGone(act: () => void): Stop;
}

/** The browser's own time. */
export class BrowserClock implements Clock {
  now(): number {
    return performance.now();
  }

  after(span: number, act: () => void): Stop {
    const timer = setTimeout(act, span);
    return () => clearTimeout(timer);
  }

  every(span: number, act: () => void): Stop {
    const timer = setInterval(act, span);
    return () => clearInterval(timer);
  }
}

export class BrowserNetwork implements Network {
  whenBack(act: () => void): Stop {
    addEventListener('online', act);
    return () => removeEventListener('online', act);
  }

  whenGone(act: () => void): Stop {
    addEventListener('offline', act);
    return () => removeEventListener('offline', act);
  }
}
