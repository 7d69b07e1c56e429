// Pieces of bytes come in, cut anywhere; whole lines go out, as bytes with their line feed.

/** A line that is longer is no line but a mistake, and is not collected for ever. In bytes. */
const LINE_BYTES = 1024 * 1024;
const LINE_FEED = 10;

export class Lines {
  #begun = [];
  #bytes = 0;

  /** The lines that end in this piece. */
  *take(piece) {
    let from = 0;
    for (;;) {
      const end = piece.indexOf(LINE_FEED, from);
      if (end < 0) break;
      const line = piece.subarray(from, end + 1);
      yield this.#begun.length > 0 ? this.#joined(line) : line;
      from = end + 1;
    }
    if (from < piece.length) this.#keep(piece.slice(from));
  }

  /** How many bytes have come of a line that has not ended. */
  get unfinished() {
    return this.#bytes;
  }

  #keep(bytes) {
    this.#begun.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes > LINE_BYTES) throw new Error(`a line has more than ${LINE_BYTES} bytes`);
  }

  #joined(last) {
    const whole = new Uint8Array(this.#bytes + last.length);
    let at = 0;
    for (const bytes of [...this.#begun, last]) {
      whole.set(bytes, at);
      at += bytes.length;
    }
    this.#begun = [];
    this.#bytes = 0;
    return whole;
  }
}
