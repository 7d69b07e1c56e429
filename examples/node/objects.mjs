// Events for objects by name come in; the files of the folder OBJECTS go out, by the contract that
// docs/contract.md describes: with ranges and preconditions, so that a caller can fetch them by segments.
//
// It is written against what AWS's own Node.js runtime gives a function (`awslambda`), and needs nothing
// else: deploy this file with the handler `objects.handler`. On this machine runtime.mjs gives it the same.

import { once } from "node:events";
import { open, stat } from "node:fs/promises";
import path from "node:path";

const FOLDER = path.resolve(process.env.OBJECTS ?? ".");

// Bytes of one read, and of one write: large enough that what each costs on its way does not count.
const READ_BYTES = 64 * 1024;

export const handler = awslambda.streamifyResponse(async (event, responseStream, context) => {
  const answer = await decide(ask(event, context), event);
  try {
    const headed = awslambda.HttpResponseStream.from(responseStream, answer.head);
    if (answer.file) {
      await send(answer, headed);
    } else {
      // AWS's runtime sends the head with the first write, so there has to be one, of no bytes if need be.
      headed.write(answer.body ?? "");
    }
    headed.end();
  } finally {
    await answer.file?.close();
  }
});

// What a caller asks beside its payload. In a direct call it stands in the client context, which counts
// before the headers: it is the word of the one who called the function.
function ask(event, context) {
  const custom = lower(context.clientContext?.custom);
  const headers = lower(event.headers);
  const beside = (name) => custom[name] ?? headers[name];
  return {
    method: event.requestContext?.http?.method ?? event.httpMethod ?? "GET",
    range: beside("range"),
    ifMatch: beside("if-match"),
    ifNoneMatch: beside("if-none-match"),
    ifRange: beside("if-range"),
  };
}

function lower(pairs) {
  return Object.fromEntries(Object.entries(pairs ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

// The head, and a file with a range of it or a small body. In the order of RFC 9110 section 13.2.2.
async function decide(asked, event) {
  if (asked.method !== "GET" && asked.method !== "HEAD") {
    return refusal(405, "only GET and HEAD are served", { allow: "GET, HEAD" });
  }
  const file = await find(event.rawPath ?? event.path);
  if (!file) {
    return refusal(404, "no such object");
  }
  const size = Number(file.found.size);
  const etag = versionOf(file.found);
  let kept = false;
  try {
    if (asked.ifMatch && !names(asked.ifMatch, etag)) {
      return refusal(412, "the object has another version", { etag });
    }
    if (asked.ifNoneMatch && names(asked.ifNoneMatch.replaceAll("W/", ""), etag)) {
      return { head: { statusCode: 304, headers: { etag } } };
    }
    // A range means something for GET alone, and behind If-Range only for the version named there.
    const ranged = asked.method === "GET" && (!asked.ifRange || asked.ifRange.trim() === etag);
    const range = ranged ? parseRange(asked.range, size) : undefined;
    if (range === "none") {
      const headers = { etag, "content-range": `bytes */${size}` };
      return refusal(416, `no byte of the range exists, the object has ${size}`, headers);
    }
    const [start, end] = range ?? [0, size]; // without the end
    const headers = {
      "accept-ranges": "bytes",
      "content-length": String(end - start),
      "content-type": "application/octet-stream",
      "last-modified": file.found.mtime.toUTCString(),
      etag,
    };
    if (range) {
      headers["content-range"] = `bytes ${start}-${end - 1}/${size}`;
    }
    const head = { statusCode: range ? 206 : 200, headers };
    if (asked.method === "HEAD" || start === end) {
      return { head };
    }
    kept = true;
    return { head, file: file.handle, found: file.found, start, end };
  } finally {
    if (!kept) {
      await file.handle.close();
    }
  }
}

function refusal(statusCode, message, headers = {}) {
  const body = JSON.stringify({ message });
  const length = String(Buffer.byteLength(body));
  return {
    head: { statusCode, headers: { "content-type": "application/json", "content-length": length, ...headers } },
    body,
  };
}

// A name with an empty, a "." or a ".." segment has no object: none leads out of the folder. (A link in the
// folder may; whoever writes into it is trusted.)
async function find(rawPath) {
  let name;
  try {
    name = decodeURIComponent((rawPath ?? "").replace(/^\//, ""));
  } catch {
    return undefined;
  }
  const segments = name.split("/");
  if (segments.some((segment) => ["", ".", ".."].includes(segment) || /[\0\\]/.test(segment))) {
    return undefined;
  }
  let handle;
  try {
    const place = path.join(FOLDER, ...segments);
    // Asked before opening, because opening a pipe waits for its other end; and again of what is open.
    if (!(await stat(place)).isFile()) {
      return undefined;
    }
    handle = await open(place);
    const found = await stateOf(handle);
    if (found.isFile()) {
      return { handle, found };
    }
  } catch (error) {
    await handle?.close();
    if (["ENOENT", "ENOTDIR", "EACCES", "ENAMETOOLONG", "ELOOP"].includes(error.code)) {
      return undefined;
    }
    throw error;
  }
  await handle.close();
  return undefined;
}

// With times in nanoseconds.
function stateOf(handle) {
  return handle.stat({ bigint: true });
}

// Strong: two answers with the same one have the same bytes. Nothing of one machine (such as an inode) is in
// it, for each range may be answered by another one.
function versionOf(found) {
  return `"${found.size.toString(16)}-${found.mtimeNs.toString(16)}"`;
}

function names(tags, etag) {
  return tags.trim() === "*" || tags.split(",").some((tag) => tag.trim() === etag);
}

// One range: start and end, the end not included; "none" if no byte of it exists; undefined for what is no
// single range, which asks for the whole.
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? "");
  if (!match || (match[1] === "" && match[2] === "")) {
    return undefined;
  }
  const [first, last] = [match[1], match[2]].map((digits) => (digits === "" ? undefined : Number(digits)));
  if (first === undefined) {
    return last === 0 || size === 0 ? "none" : [Math.max(0, size - last), size];
  }
  if (last !== undefined && last < first) {
    return undefined;
  }
  return first >= size ? "none" : [first, Math.min(last ?? size - 1, size - 1) + 1];
}

// Sends exactly what the head promises. An error after the first byte is no end: the runtime makes it a
// trailer, whose type is the error's name, and the caller sees it as InvokeComplete.ErrorCode. (Not by
// `pipeline`, which would close the connection before the runtime can.)
async function send({ file, found, start, end }, responseStream) {
  for (let at = start; at < end; ) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    at += bytesRead;
    // Looked at before the last bytes leave, because after them nothing can be taken back.
    if (bytesRead === 0 || (at === end && versionOf(await stateOf(file)) !== versionOf(found))) {
      throw failure("Function.ObjectChanged", "the object was changed while it was read");
    }
    if (!responseStream.write(buffer.subarray(0, bytesRead))) {
      await once(responseStream, "drain"); // a slow receiver slows this down
    }
  }
}

function failure(name, message) {
  return Object.assign(new Error(message), { name });
}
