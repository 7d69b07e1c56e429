// The bytes of Server-Sent Events come in, cut anywhere; the events go out (HTML standard, "Interpreting an
// event stream"). `EventSource` itself cannot be told what failed, and connects again without being asked.

/** An event that is longer is a mistake, and is not collected for ever. In characters. */
const EVENT_CHARACTERS = 1024 * 1024;

export class Events {
  #decoder = new TextDecoder();
  #text = "";
  #fields = { type: "", data: [] };
  #id = "";

  /** The events that end in this piece. */
  *take(piece) {
    this.#text += this.#decoder.decode(piece, { stream: true });
    let from = 0;
    for (;;) {
      const end = this.#text.slice(from).search(/[\r\n]/);
      if (end < 0) break;
      const at = from + end;
      // Whether a carriage return is all of a line's end is known with the next character.
      const returned = this.#text[at] === "\r";
      if (returned && at + 1 === this.#text.length) break;
      const line = this.#text.slice(from, at);
      from = at + (returned && this.#text[at + 1] === "\n" ? 2 : 1);
      const event = this.#line(line);
      if (event) yield event;
    }
    this.#text = this.#text.slice(from);
    if (this.#text.length > EVENT_CHARACTERS) throw new Error("an event does not end");
  }

  #line(line) {
    if (line === "") return this.#dispatched();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#fields.type = value;
    else if (name === "data") this.#fields.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  #dispatched() {
    const { type, data } = this.#fields;
    this.#fields = { type: "", data: [] };
    if (data.length === 0) return undefined;
    return { type: type || "message", data: data.join("\n"), id: this.#id };
  }
}
