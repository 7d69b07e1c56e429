// The gateway's connections to the service come in and are passed on as they are; what is known of each is
// whether it still is there, and by what was asked on it.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Of what was asked last on one connection, in bytes: more than any request of the page. */
const ASKED_BYTES = 16 * 1024;

export class Tap {
  #connections = new Set();
  #server = createServer((from) => this.#pass(from));
  #to;

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `127.0.0.1:${this.#server.address().port}`;
  }

  /** Where all goes. */
  to(host, port) {
    this.#to = { host, port };
  }

  /** The connection on which this was asked: the gateway has `closed` it, or it can `break` as by the service. */
  asked(words) {
    const found = [...this.#connections].filter(({ asked }) => asked.includes(words));
    if (found.length !== 1) throw new Error(`${found.length} connections have asked ${words}`);
    return found[0];
  }

  #pass(from) {
    const to = connect(this.#to);
    const connection = { asked: "" };
    connection.closed = new Promise((resolve) => {
      for (const event of ["end", "error"]) from.on(event, resolve);
    });
    connection.break = () => to.destroy();
    to.on("close", () => from.destroy());
    this.#connections.add(connection);
    from.on("data", (bytes) => {
      connection.asked = (connection.asked + bytes.toString("latin1")).slice(-ASKED_BYTES);
    });
    from.on("error", () => to.destroy());
    to.on("error", () => from.destroy());
    from.pipe(to).pipe(from);
  }

  close() {
    this.#server.close();
  }
}
