// A URL comes in; the bytes of its answer go out as they arrive. The end of them is the end of the answer,
// everything else is an error.

/**
 * For how long arrived bytes are worked on before the page gets its turn, in milliseconds: not more than
 * half of what a screen of 60 pictures each second gives to one.
 */
const TURN_MS = 8;

/** What is handed on at once, in bytes: a millisecond or so of work. A browser may have megabytes at once. */
const PIECE_BYTES = 64 * 1024;

/**
 * How many bytes are read ahead of what is worked on. When a stream breaks, browsers drop what of it was
 * not read; when more than so many wait, the sender has to.
 */
const AHEAD_BYTES = 4 * 1024 * 1024;

/** The most bytes that are read of an answer that says why there is none. */
const REFUSAL_BYTES = 64 * 1024;

/** An answer that never began. */
export class Refused extends Error {}

/** Asks, and returns as soon as an answer has begun. */
export async function ask(url, headers, signal) {
  const response = await fetch(url, { headers, signal, cache: "no-store" }).catch((error) => {
    // All that browsers tell of why they could not fetch. An abort is something else.
    throw error instanceof TypeError ? new Refused("the gateway cannot be reached") : error;
  });
  if (!response.ok) throw new Refused(await reason(response));
  return response;
}

/**
 * How much there will be: items, if a header says it; bytes, if their number is known. With an encoding the
 * length is that of other bytes than those that are read here.
 */
export function total(response) {
  const number = (name) => {
    const text = response.headers.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  return {
    items: number("x-total-count"),
    bytes: response.headers.has("content-encoding") ? undefined : number("content-length"),
  };
}

/** The bytes, piece by piece. Whoever stops asking for more lets the sender wait. */
export async function* pieces(response) {
  const reader = response.body.getReader();
  const ahead = new Ahead(reader);
  let turn = performance.now();
  try {
    for (let bytes; (bytes = await ahead.next()) !== undefined; ) {
      for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
        yield bytes.subarray(from, from + PIECE_BYTES);
        if (performance.now() - turn > TURN_MS) {
          await others();
          turn = performance.now();
        }
      }
    }
  } finally {
    // Whoever breaks out of the loop wants no more; after the end this does nothing.
    reader.cancel().catch(() => {});
  }
}

/** Reads before it is asked. */
class Ahead {
  #reader;
  #read = [];
  #bytes = 0;
  #ended = false;
  #failure;
  #reading = false;
  /** Called when there is something new. */
  #told = () => {};

  constructor(reader) {
    this.#reader = reader;
    this.#goOn();
  }

  /** What was read first; nothing at the end. A failure comes behind all that was read before it. */
  async next() {
    while (this.#read.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return undefined;
      await new Promise((resolve) => (this.#told = resolve));
    }
    const bytes = this.#read.shift();
    this.#bytes -= bytes.length;
    this.#goOn();
    return bytes;
  }

  async #goOn() {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (!this.#ended && this.#bytes < AHEAD_BYTES) {
        const { done, value } = await this.#reader.read();
        this.#ended = done;
        if (!done) {
          this.#read.push(value);
          this.#bytes += value.length;
        }
        this.#told();
      }
    } catch (failure) {
      this.#failure = failure;
      this.#told();
    }
    this.#reading = false;
  }
}

/** Lets the browser paint and hear its user. Unlike animation frames, it goes on in a hidden tab. */
function others() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => { port1.close(); resolve(); };
    port2.postMessage(null);
  });
}

/** What a problem body says of itself (RFC 9457), or the status alone. */
async function reason(response) {
  const status = `${response.status} ${response.statusText}`.trim();
  try {
    let text = "";
    const decoder = new TextDecoder();
    for await (const piece of pieces(response)) {
      text += decoder.decode(piece, { stream: true });
      if (text.length > REFUSAL_BYTES) return status;
    }
    const said = JSON.parse(text);
    const detail = said.detail ?? said.message;
    return typeof detail === "string" ? `${status}: ${detail}` : status;
  } catch {
    return status;
  }
}
