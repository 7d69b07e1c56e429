// Rows come in, any number; those that can be seen are in the document, and no others.

/** Rows above and below the seen ones, so that a short scroll finds them there. */
const BESIDE = 10;

/** In pixels. Browsers give up on taller things, Firefox at 17.9 million: there the table is scrolled in proportion. */
const HEIGHT_MAX = 10_000_000;

/** Until a row was measured, in pixels. */
const ROW_HEIGHT = 28;

export class Table {
  #window;
  #table;
  #shown;
  #above;
  #below;
  #follow;
  #rows = [];
  #rowHeight = ROW_HEIGHT;
  #painting = false;

  constructor(section) {
    this.#window = section.querySelector(".window");
    this.#table = section.querySelector("table");
    this.#shown = section.querySelector(".shown");
    this.#above = section.querySelector(".above td");
    this.#below = section.querySelector(".below td");
    this.#follow = section.querySelector("[name=follow]");
    this.#window.addEventListener("scroll", () => this.#soon());
    new ResizeObserver(() => this.#soon()).observe(this.#window);
    // Who scrolls wants to stay there. Scrolling by the page itself is none of these.
    for (const event of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      this.#window.addEventListener(event, ({ key }) => {
        if (key !== "Tab" && key !== "Shift") this.#follow.checked = false;
      }, { passive: true });
    }
    this.#follow.addEventListener("change", () => this.#soon());
  }

  get count() {
    return this.#rows.length;
  }

  push(cells) {
    this.#rows.push(cells);
  }

  clear() {
    this.#rows = [];
    this.#window.scrollTop = 0;
  }

  paint() {
    const count = this.#rows.length;
    this.#table.setAttribute("aria-rowcount", count + 1);
    const full = count * this.#rowHeight;
    const height = Math.min(full, HEIGHT_MAX);
    const seen = Math.ceil(this.#window.clientHeight / this.#rowHeight);
    const top = this.#window.scrollTop;
    const follow = this.#follow.checked;
    const inProportion = full > height;
    let first = Math.floor(top / this.#rowHeight);
    if (inProportion) {
      const whole = this.#window.scrollHeight - this.#window.clientHeight;
      first = Math.round((top / Math.max(1, whole)) * Math.max(0, count - seen + 1));
    }
    if (follow) first = Math.max(0, count - seen);
    const from = Math.max(0, Math.min(first - BESIDE, count));
    const to = Math.min(count, first + seen + BESIDE);
    const rows = (to - from) * this.#rowHeight;
    let above = from * this.#rowHeight;
    if (inProportion) above = follow ? height - rows : top - (first - from) * this.#rowHeight;
    above = Math.max(0, Math.min(above, height - rows));
    this.#above.style.height = `${above}px`;
    this.#below.style.height = `${Math.max(0, height - above - rows)}px`;
    this.#fill(from, to);
    if (follow) this.#window.scrollTop = this.#window.scrollHeight;
    const row = this.#shown.rows[0]?.getBoundingClientRect().height;
    // The reader's zoom or font has changed.
    if (row > 0 && Math.abs(row - this.#rowHeight) > 0.01) {
      this.#rowHeight = row;
      this.#soon();
    }
  }

  /** The rows that are there already get other words. */
  #fill(from, to) {
    const { rows } = this.#shown;
    while (rows.length > to - from) this.#shown.deleteRow(-1);
    for (let at = from; at < to; at++) {
      const cells = this.#rows[at];
      const row = rows[at - from] ?? this.#shown.insertRow();
      while (row.cells.length < cells.length) row.insertCell();
      // The header is the first.
      row.setAttribute("aria-rowindex", at + 2);
      cells.forEach((cell, index) => {
        if (row.cells[index].textContent !== cell) row.cells[index].textContent = cell;
      });
    }
  }

  #soon() {
    if (this.#painting) return;
    this.#painting = true;
    requestAnimationFrame(() => {
      this.#painting = false;
      this.paint();
    });
  }
}
