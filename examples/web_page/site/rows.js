// Bytes of NDJSON come in; rows go into a table. They are whole when the last line says how many there were
// and what their sum is, and both are so.

import { Crc32 } from "./crc32.js";
import { Lines } from "./lines.js";
import { Table } from "./table.js";

export class Rows {
  name = "rows";
  #table;
  #lines;
  #sum;
  #end;

  constructor(section) {
    this.#table = new Table(section);
    this.clear();
  }

  get count() {
    return this.#table.count;
  }

  clear() {
    this.#table.clear();
    this.#sum = new Crc32();
    this.begin();
  }

  /** Another answer begins, behind the rows that are there. A line that was cut comes again. */
  begin() {
    this.#lines = new Lines();
    this.#end = undefined;
  }

  /** Where and how to ask for what is behind the rows that are there. */
  question(parameters) {
    parameters.set("from", this.count);
    return { url: `/rows?${parameters}`, headers: {} };
  }

  take(piece) {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    for (const bytes of this.#lines.take(piece)) {
      if (this.#end) throw new Error("something follows the last line");
      const line = parsed(decoder.decode(bytes), this.count);
      if (line.end) {
        this.#end = line.end;
        continue;
      }
      if (line.row !== this.count) throw new Error(`row ${this.count} is missing`);
      this.#sum.add(bytes);
      const { row, station, celsius, wind } = line;
      this.#table.push([`${row}`, `${station}`, Number(celsius).toFixed(1), Number(wind).toFixed(1)]);
    }
  }

  /** The sum of all rows, if they are whole. */
  finish() {
    if (!this.#end || this.#lines.unfinished > 0) throw new Error("the last line is missing");
    if (this.#end.count !== this.count) throw new Error(`the function sent ${this.#end.count} rows`);
    if (this.#end.crc32 !== `${this.#sum}`) throw new Error("the sum of the rows is another one");
    return `${this.#sum}`;
  }

  paint() {
    this.#table.paint();
  }
}

function parsed(line, number) {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`row ${number} is no JSON`);
  }
}
