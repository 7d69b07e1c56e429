// The buttons of a section come in; a stream is read, its progress and how it ended are shown. Whole is only
// what has proved it; whatever came before a break stays.

import { Refused, ask, pieces, total } from "./answer.js";

/** Over how long the rate is taken, in milliseconds: long enough to be read, short enough to be of now. */
const RATE_MS = 2000;

const NUMBER = new Intl.NumberFormat("en");
const UNITS = ["bytes", "kB", "MB", "GB"];

export class Run {
  #section;
  #part;
  #form;
  #stop;
  #resume;
  #bar;
  #numbers;
  #status;
  #check;
  #window;
  #abort;
  #bytes = 0;
  #total = {};
  /** When how many bytes and items were there. */
  #seen = [];
  #begun = 0;

  /** `part` knows what the bytes mean. */
  constructor(section, part) {
    const find = (selector) => section.querySelector(selector);
    this.#section = section;
    this.#part = part;
    this.#form = find("form");
    this.#stop = find("[name=stop]");
    this.#resume = find("[name=resume]");
    this.#bar = find("progress");
    this.#numbers = find(".numbers");
    this.#status = find(".status");
    this.#check = find(".check");
    this.#window = find(".window");
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#part.clear();
      this.#bytes = 0;
      this.#read(new URLSearchParams(new FormData(this.#form)));
    });
    this.#resume.addEventListener("click", () => {
      const parameters = new URLSearchParams(new FormData(this.#form));
      // What was asked to break has broken.
      parameters.delete("fail_at");
      this.#part.begin();
      this.#read(parameters);
    });
    this.#stop.addEventListener("click", () => this.#abort?.abort());
    section.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#abort?.abort();
    });
  }

  async #read(parameters) {
    // Who starts anew wants nothing more of what is under way, and does not hear of it.
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    for (const [name, value] of [...parameters]) if (value === "") parameters.delete(name);
    this.#total = {};
    this.#seen = [];
    this.#begun = performance.now();
    const before = { bytes: this.#bytes, items: this.#part.count };
    this.#show("reading", "Reading …");
    this.#paintWhile(abort);
    try {
      const { url, headers } = this.#part.question(parameters);
      const response = await ask(url, headers, abort.signal);
      this.#total = total(response);
      if (this.#total.bytes !== undefined) this.#total.bytes += before.bytes;
      for await (const piece of pieces(response)) {
        if (this.#abort !== abort) return;
        this.#bytes += piece.length;
        this.#part.take(piece);
      }
      if (this.#abort !== abort) return;
      const sum = this.#part.finish();
      this.#ended(before);
      this.#check.textContent = `CRC-32 ${sum}`;
      this.#show("whole", `Whole: all ${this.#items()} have arrived, and their sum is right.`);
    } catch (error) {
      if (this.#abort !== abort) return;
      this.#ended(before);
      if (abort.signal.aborted) this.#show("stopped", `Stopped after ${this.#items()}.`);
      else this.#show("broken", this.#broken(error));
    }
  }

  #broken(error) {
    if (error instanceof Refused) return `No answer: ${error.message}.`;
    // All that browsers say of a connection that broke is that they could not fetch.
    const why = error instanceof TypeError ? "the stream broke off" : error.message;
    return `Broken after ${this.#items()}: ${why}. What arrived is kept.`;
  }

  #items() {
    return `${NUMBER.format(this.#part.count)} ${this.#part.name}`;
  }

  /** The last numbers are those of the whole time. */
  #ended(before) {
    this.#abort = undefined;
    this.#seen = [{ at: this.#begun, ...before }];
    this.#paint();
  }

  #show(state, words) {
    const reading = state === "reading";
    // A button that is switched off would lose the keyboard.
    const focused = document.activeElement;
    this.#section.dataset.state = state;
    // Not of the section: what is busy is not read aloud, and the status is to be.
    this.#window.setAttribute("aria-busy", reading);
    this.#status.textContent = words;
    this.#check.hidden = state !== "whole";
    this.#stop.disabled = !reading;
    this.#resume.hidden = state !== "broken" && state !== "stopped";
    if (focused === this.#stop && !reading) this.#form.querySelector("[type=submit]").focus();
    if (focused === this.#resume && reading) this.#stop.focus();
  }

  #paintWhile(abort) {
    requestAnimationFrame(() => {
      if (this.#abort !== abort) return;
      this.#paint();
      this.#paintWhile(abort);
    });
  }

  #paint() {
    this.#part.paint();
    const { items, bytes } = this.#total;
    const [done, all] = items === undefined ? [this.#bytes, bytes] : [this.#part.count, items];
    if (all === undefined) this.#bar.removeAttribute("value");
    else [this.#bar.max, this.#bar.value] = [Math.max(1, all), all === 0 ? 1 : done];
    // What ended without a word of how much there is has a bar that stands still.
    if (all === undefined && !this.#abort) this.#bar.value = 0;
    const of = items === undefined ? "" : ` of ${NUMBER.format(items)}`;
    const size = `${amount(this.#bytes)}${bytes === undefined ? "" : ` of ${amount(bytes)}`}`;
    this.#numbers.textContent =
      `${NUMBER.format(this.#part.count)}${of} ${this.#part.name}, ${size}${this.#rate()}`;
  }

  #rate() {
    const now = { at: performance.now(), bytes: this.#bytes, items: this.#part.count };
    if (this.#abort) {
      this.#seen.push(now);
      while (this.#seen.length > 2 && this.#seen[1].at < now.at - RATE_MS) this.#seen.shift();
    }
    const then = this.#seen[0] ?? now;
    const seconds = (now.at - then.at) / 1000;
    if (seconds <= 0) return "";
    const items = NUMBER.format(Math.round((now.items - then.items) / seconds));
    return `, ${items} ${this.#part.name}/s, ${amount((now.bytes - then.bytes) / seconds)}/s`;
  }
}

function amount(bytes) {
  let unit = 0;
  while (bytes >= 1000 && unit < UNITS.length - 1) [bytes, unit] = [bytes / 1000, unit + 1];
  return `${unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${UNITS[unit]}`;
}
