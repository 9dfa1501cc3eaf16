// How long the sound of a room waits for what, in milliseconds where nothing else is said.

/** A connection that was there and broke is made anew within this time. */
export const soon = 2_000;
/** A stage is small: all of it may come back at once. */
export const shortest = 300;

/** Where nobody speaks a new session carries no sound either: after so long it takes over all the same. */
export const silent = 1_000;
/** How often a new session is asked for its sound: both play for no longer than this. */
export const ask = 20;

/** So long after a relay's answer a call that brings nothing is not waited for in silence. */
export const callWithin = 2_000;
/** All listeners of a relay that dies fall at once: their streams are opened spread over so long. */
export const fall = 500;
/** From below a call is tried again after so long: at least, and by chance that much more. */
export const climb = 40_000;
export const spread = 10_000;
/** How often it is looked how the sound comes. */
export const look = 500;
/** What is said of the delay changes only by more than this, in seconds. */
export const steady = 0.8;
