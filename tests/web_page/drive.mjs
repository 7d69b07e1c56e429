// A browser, the address of the page and the sum of its rows come in; what the page shows of each way a
// stream can go is compared with what it should. Prints "passed", or fails.
//
// node drive.mjs FOLDER-OF-PLAYWRIGHT CHROMIUM
//
// Prints first where the function's gate and the tap of the service are, and reads then, as a line of JSON,
// {"page": URL, "service": "HOST:PORT", "count": ROWS, "crc32": SUM}.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { Gate } from "./gate.mjs";
import { Tap } from "./tap.mjs";

/** How long what must happen may take, in milliseconds. Never reached unless something is broken. */
const PATIENCE_MS = 20_000;

/** How long all of it may take, in milliseconds. */
const LIMIT_MS = 55_000;

const [folder, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const gate = new Gate();
const tap = new Tap();
console.log(JSON.stringify({ gate: await gate.listen(), service: await tap.listen() }));
const [line] = await once(createInterface(process.stdin), "line");
const { page: address, service, count, crc32 } = JSON.parse(line);
tap.to(...service.split(":"));

const browser = await chromium.launch({
  executablePath,
  // Chromium has no sandbox for root, and CI's containers have none for others.
  chromiumSandbox: false,
});
const page = await browser.newPage();
page.setDefaultTimeout(PATIENCE_MS);
const complaints = [];
page.on("pageerror", (error) => complaints.push(error.message));
page.on("console", (message) => {
  // That a stream broke is wanted here, and the browser tells of it too.
  const wanted = /Failed to load resource/.test(message.text());
  if (message.type() === "error" && !wanted) complaints.push(message.text());
});

/** What a section shows, to be compared at once. */
const shown = (id) =>
  page.$eval(`#${id}`, (section) => ({
    state: section.dataset.state,
    status: section.querySelector(".status").textContent,
    numbers: section.querySelector(".numbers").textContent,
    check: section.querySelector(".check").textContent,
    text: section.querySelector(".window").textContent,
    rows: section.querySelectorAll(".shown tr").length,
    progress: section.querySelector("progress").position,
    busy: section.querySelector(".window").getAttribute("aria-busy"),
  }));

/** Waits until a section is in a state, or its numbers begin so. */
async function until(id, wanted) {
  const is = ([id, { state, numbers = "" }]) => {
    const section = document.getElementById(id);
    const begins = section.querySelector(".numbers").textContent.startsWith(numbers);
    return begins && (state === undefined || section.dataset.state === state);
  };
  try {
    await page.waitForFunction(is, [id, wanted]);
  } catch (error) {
    const seen = JSON.stringify(await shown(id));
    throw new Error(`${JSON.stringify(wanted)} was not seen but ${seen}: ${error.message}`);
  }
}

const ended = (id) => page.waitForSelector(`#${id}:not([data-state=reading]):not([data-state=ready])`);
const titles = { rows: "A table", tokens: "Tokens" };
const press = (id, name) =>
  page.getByRole("region", { name: titles[id], exact: true }).getByRole("button", { name }).click();

/** Starts a stream; where its function waits is asked by a field that the form does not have. */
async function start(id, fields) {
  const all = { count: 10, delay_ms: 0, fail_at: "", gate_at: "", ...fields };
  await page.$eval(`#${id} form`, (form, all) => {
    if (!form.elements.gate_at) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "gate_at" }));
    }
    for (const [name, value] of Object.entries(all)) form.elements[name].value = value;
  }, all);
  await press(id, "Start");
}

const scenarios = {
  async "the first rows are there before the function has made the others, and all at the end"() {
    await start("rows", { count, gate_at: 10 });
    const waiting = await gate.somebody();
    await until("rows", { numbers: `10 of ${count.toLocaleString("en")} rows` });
    const before = await shown("rows");
    assert.equal(before.state, "reading");
    assert.equal(before.busy, "true");
    assert.equal(before.rows, 10);
    waiting.open();
    await ended("rows");
    const after = await shown("rows");
    assert.equal(after.state, "whole", after.status);
    const all = `all ${count.toLocaleString("en")} rows have arrived`;
    assert.equal(after.status, `Whole: ${all}, and their sum is right.`);
    assert.equal(after.check, `CRC-32 ${crc32}`);
    assert.equal(after.progress, 1);
    assert.equal(after.busy, "false");
    // However many rows there are, the document has those that are seen.
    assert.ok(after.rows > 10 && after.rows < 100, `${after.rows} rows in the document`);
    assert.match(after.text, new RegExp(`${count - 1}\\D`), "the newest row");
    await page.focus("#rows .window");
    await page.keyboard.press("Home");
    await page.waitForFunction(() => document.querySelector("#rows .shown td")?.textContent === "0");
    assert.equal(await page.getAttribute("#rows .shown tr", "aria-rowindex"), "2");
    assert.equal(await page.isChecked("#rows [name=follow]"), false);
  },

  async "each token is there before the next one is made"() {
    await start("tokens", { count: 5, gate_at: 0 });
    const waiting = await gate.somebody();
    for (const text of ["", "A ", "A function ", "A function may ", "A function may answer "]) {
      const tokens = text.split(" ").length - 1;
      await until("tokens", { numbers: `${tokens} of 5 tokens` });
      const { state, text: there } = await shown("tokens");
      assert.deepEqual({ state, text: there }, { state: "reading", text });
      waiting.next();
    }
    await until("tokens", { state: "whole" });
    assert.equal((await shown("tokens")).text, "A function may answer with ");
  },

  async "a table that breaks is broken, keeps its rows, and can be gone on with"() {
    await start("rows", { count: 1000, fail_at: 600 });
    await ended("rows");
    const broken = await shown("rows");
    assert.equal(broken.state, "broken");
    assert.match(broken.status, /^Broken after \d+ rows: the stream broke off\. What arrived is kept\.$/);
    const kept = Number(broken.status.match(/\d+/)[0]);
    assert.ok(kept <= 600 && broken.rows > 0 === kept > 0, JSON.stringify(broken));
    assert.ok(broken.progress < 1);
    await press("rows", "Go on from here");
    await ended("rows");
    const { state, status } = await shown("rows");
    assert.equal(state, "whole", status);
    assert.match(status, /all 1,000 rows/);
  },

  async "tokens that break are broken, stay, and can be gone on with"() {
    await start("tokens", { count: 60, fail_at: 30, gate_at: 29 });
    const waiting = await gate.somebody();
    await until("tokens", { numbers: "29 of 60 tokens" });
    waiting.open();
    await ended("tokens");
    const broken = await shown("tokens");
    assert.equal(broken.state, "broken");
    // The gateway tells of it by an event.
    assert.equal(broken.status, "Broken after 30 tokens: Function.AskedToFail. What arrived is kept.");
    assert.ok(broken.text.startsWith("A function may"), broken.text);
    assert.ok(broken.progress < 1);
    await page.$eval("#tokens form", (form) => (form.elements.gate_at.value = ""));
    await press("tokens", "Go on from here");
    await ended("tokens");
    const { state, status } = await shown("tokens");
    assert.equal(state, "whole", status);
  },

  async "what is stopped is read by nobody any more"() {
    const ways = [
      ["rows", 77_777, () => press("rows", "Stop")],
      ["tokens", 66_666, () => page.keyboard.press("Escape")],
    ];
    for (const [id, count, stop] of ways) {
      await start(id, { count, gate_at: 5 });
      const waiting = await gate.somebody();
      await until(id, { numbers: `5 of ${count.toLocaleString("en")}` });
      // The function waits, so it is no failed write that ends the connection.
      const connection = tap.asked(`count=${count}&`);
      await stop();
      await until(id, { state: "stopped" });
      assert.equal((await shown(id)).status, `Stopped after 5 ${id}.`);
      await connection.closed;
      waiting.open();
    }
  },

  async "a connection to the service that breaks leaves no whole result"() {
    await start("rows", { count: 55_555, gate_at: 5 });
    const waiting = await gate.somebody();
    await until("rows", { numbers: "5 of 55,555" });
    tap.asked("count=55555&").break();
    await ended("rows");
    const { state, status } = await shown("rows");
    assert.equal(state, "broken");
    assert.match(status, /^Broken after 5 rows: .+ What arrived is kept\.$/);
    waiting.open();
  },

  async "what ends without its last word, or with a wrong one, is broken"() {
    const row = '{"row":0,"station":"Bergen","celsius":1,"wind":2}\n';
    const bodies = [
      ["rows", "", "0 rows: the last line is missing"],
      ["rows", row, "1 rows: the last line is missing"],
      ["rows", `${row}{"end":{"count":1,"crc32":"00000000"}}\n`, "1 rows: the sum of the rows is another one"],
      ["rows", `${row}{"end":{"count":2,"crc32":"00000000"}}\n`, "1 rows: the function sent 2 rows"],
      ["rows", `${row}{"row":2}\n`, "1 rows: row 1 is missing"],
      ["rows", `${row}{"row":`, "1 rows: the last line is missing"],
      ["rows", `${row}no\n`, "1 rows: row 1 is no JSON"],
      ["tokens", "id: 0\nevent: token\ndata: a\n\n", "1 tokens: the last event is missing"],
      ["tokens", "id: 1\nevent: token\ndata: a\n\n", "0 tokens: token 0 is missing"],
      ["tokens", 'event: end\ndata: {"count":1}\n\n', "0 tokens: the function sent 1 tokens"],
      ["tokens", 'event: error\ndata: {"type":"Function.X","requestId":"r"}\n\n', "0 tokens: Function.X"],
    ];
    for (const [id, body, why] of bodies) {
      await page.route(`**/${id}?*`, (route) => route.fulfill({ body }), { times: 1 });
      await start(id, {});
      await until(id, { state: "broken" });
      assert.equal((await shown(id)).status, `Broken after ${why}. What arrived is kept.`, body);
    }
  },

  async "what is refused is told"() {
    await page.$eval("#rows form", (form) => (form.noValidate = true));
    await start("rows", { count: 1_000_001 });
    await until("rows", { state: "broken" });
    assert.equal((await shown("rows")).status, "No answer: 400 Bad Request: count is at most 1000000.");
    await page.route("**/tokens?*", (route) => route.abort(), { times: 1 });
    await start("tokens", {});
    await until("tokens", { state: "broken" });
    assert.equal((await shown("tokens")).status, "No answer: the gateway cannot be reached.");
  },

  async "a table that is taller than browsers can show is scrolled to its ends"() {
    const seen = await page.evaluate(async () => {
      const { Table } = await import("/table.js");
      // A copy, to which the page's own table does not listen.
      const section = document.getElementById("rows").cloneNode(true);
      document.getElementById("rows").replaceWith(section);
      const area = section.querySelector(".window");
      const frames = async () => {
        for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
      };
      const table = new Table(section);
      for (let row = 0; row < 1_000_000; row++) table.push([`${row}`, "", "", ""]);
      section.querySelector("[name=follow]").checked = false;
      const seen = [];
      for (const part of [0, 0.5, 1]) {
        table.paint();
        area.scrollTop = part * area.scrollHeight;
        await frames();
        // Those that are between the header and the lower edge.
        const top = section.querySelector("thead").getBoundingClientRect().bottom;
        const { bottom } = area.getBoundingClientRect();
        const inside = [...section.querySelectorAll(".shown tr")].filter((row) => {
          const at = row.getBoundingClientRect();
          return at.bottom > top + 1 && at.top < bottom - 1;
        });
        seen.push([inside[0]?.cells[0].textContent, inside.at(-1)?.cells[0].textContent].map(Number));
      }
      return seen;
    });
    assert.equal(seen[0][0], 0);
    assert.ok(Math.abs(seen[1][0] - 500_000) < 1000, `${seen[1]} in the middle`);
    assert.equal(seen[2][1], 999_999);
    for (const [first, last] of seen) assert.ok(last - first >= 10, `only ${first} to ${last} are seen`);
  },
};

const impatience = setTimeout(() => {
  console.log(`still at: ${now}`);
  process.exit(1);
}, LIMIT_MS);
let now = "the page";
try {
  await page.goto(address);
  await page.waitForSelector("#tokens[data-wired]");
  for (const [name, scenario] of Object.entries(scenarios)) {
    now = name;
    await scenario();
    console.log(`shown: ${name}`);
  }
  assert.deepEqual(complaints, []);
  console.log("passed");
} catch (error) {
  console.log(`failed: ${now}: ${error.stack}`);
  process.exitCode = 1;
} finally {
  clearTimeout(impatience);
  await browser.close();
  gate.close();
  tap.close();
}
// Connections that the gateway keeps for later ones would keep this process.
process.exit();
