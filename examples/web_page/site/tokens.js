// Bytes of Server-Sent Events come in; the text of the tokens goes onto the page. It is whole when the event
// `end` says how many there were and what their sum is, and both are so.

import { Crc32 } from "./crc32.js";
import { Events } from "./events.js";

export class Tokens {
  name = "tokens";
  count = 0;
  #window;
  #text;
  #waiting = "";
  #encoder = new TextEncoder();
  #events;
  #sum;
  #end;

  constructor(section) {
    this.#window = section.querySelector(".window");
    this.clear();
  }

  clear() {
    this.count = 0;
    this.#waiting = "";
    this.#text = document.createTextNode("");
    this.#window.replaceChildren(this.#text);
    this.#sum = new Crc32();
    this.begin();
  }

  /** Another answer begins, behind the tokens that are there. */
  begin() {
    this.#events = new Events();
    this.#end = undefined;
  }

  /** Where and how to ask for what is behind the tokens that are there. */
  question(parameters) {
    const headers = this.count > 0 ? { "last-event-id": `${this.count - 1}` } : {};
    return { url: `/tokens?${parameters}`, headers };
  }

  take(piece) {
    for (const { type, data, id } of this.#events.take(piece)) {
      if (this.#end) throw new Error("something follows the last event");
      // What the gateway says when its upstream breaks off.
      if (type === "error") throw new Error(detail(data));
      if (type === "end") {
        this.#end = JSON.parse(data);
        continue;
      }
      if (type !== "token") continue;
      if (id !== `${this.count}`) throw new Error(`token ${this.count} is missing`);
      this.count += 1;
      this.#sum.add(this.#encoder.encode(data));
      this.#waiting += data;
    }
  }

  /** The sum of all tokens, if they are whole. */
  finish() {
    if (!this.#end) throw new Error("the last event is missing");
    if (this.#end.count !== this.count) throw new Error(`the function sent ${this.#end.count} tokens`);
    if (this.#end.crc32 !== `${this.#sum}`) throw new Error("the sum of the tokens is another one");
    return `${this.#sum}`;
  }

  paint() {
    if (this.#waiting === "") return;
    // Who has scrolled up reads there.
    const { scrollTop, clientHeight, scrollHeight } = this.#window;
    const atEnd = scrollTop + clientHeight >= scrollHeight - 2;
    this.#text.appendData(this.#waiting);
    this.#waiting = "";
    if (atEnd) this.#window.scrollTop = this.#window.scrollHeight;
  }
}

/** The words of an error event: of the gateway's own its type, of others what they say. */
function detail(data) {
  try {
    const said = JSON.parse(data);
    return `${said.type ?? said.message ?? data}`;
  } catch {
    return data;
  }
}
