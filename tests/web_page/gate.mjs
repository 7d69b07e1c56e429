// Functions come in that wait; whoever tests them lets each go on, item by item.

import { once } from "node:events";
import { createServer } from "node:net";

export class Gate {
  #server = createServer({ allowHalfOpen: true });
  #waiting = [];
  #wanted = [];

  async listen() {
    this.#server.on("connection", (socket) => {
      socket.on("error", () => {});
      const wanted = this.#wanted.shift();
      wanted ? wanted(socket) : this.#waiting.push(socket);
    });
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `127.0.0.1:${this.#server.address().port}`;
  }

  /** The next function that waits. `next()` lets it make one item, `open()` all. */
  async somebody() {
    const socket = this.#waiting.shift() ?? (await new Promise((resolve) => this.#wanted.push(resolve)));
    return { next: () => socket.write("."), open: () => socket.end() };
  }

  close() {
    this.#server.close();
  }
}
