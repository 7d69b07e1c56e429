// @aws-sdk/client-lambda against the service: in, its endpoint and the folder the SDK is installed
// in; out, the word "passed", or what was not so.
//
// That frames come while the function still writes is proved by a handshake: the function goes on
// only after this program, having read the first frame, let it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";

const [endpoint, installed] = process.argv.slice(2);
const sdk = createRequire(`${installed}/`)("@aws-sdk/client-lambda");
const { InvokeWithResponseStreamCommand, LambdaClient } = sdk;
const client = new LambdaClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "AKID", secretAccessKey: "SECRET" },
  maxAttempts: 1,
});

/** A listener the function waits at, and the payload that makes it wait there. */
async function gate() {
  const server = createServer();
  const visitor = once(server, "connection");
  await once(server.listen(0, "127.0.0.1"), "listening");
  const payload = { do: "wait", wait_for: `127.0.0.1:${server.address().port}` };
  const open = async () => {
    const [socket] = await visitor;
    socket.end();
    server.close();
  };
  return { open, Payload: JSON.stringify(payload) };
}

const invoke = (input) => client.send(new InvokeWithResponseStreamCommand(input));
const text = (event) => Buffer.from(event.PayloadChunk.Payload).toString();

async function read(input) {
  const events = [];
  for await (const event of (await invoke(input)).EventStream) events.push(event);
  return events;
}

const first = await gate();
const answer = await invoke({ FunctionName: "raw", Payload: first.Payload });
assert.equal(answer.StatusCode, 200);
assert.equal(answer.ExecutedVersion, "$LATEST");
const events = answer.EventStream[Symbol.asyncIterator]();
assert.equal(text((await events.next()).value), "first");
await first.open();
assert.equal(text((await events.next()).value), "last");
const complete = (await events.next()).value.InvokeComplete;
assert.equal(complete.ErrorCode, undefined);
assert.equal((await events.next()).done, true);

const failed = await read({ FunctionName: "raw", Payload: '{"do":"trailers"}', LogType: "Tail" });
const end = failed.at(-1).InvokeComplete;
assert.equal(end.ErrorCode, "Function.Boom");
assert.match(end.ErrorDetails, /boom/);
assert.ok(end.LogResult);

const length = 3_000_000;
const wish = JSON.stringify({ do: "stream", bytes: length, write: 100_000 });
const long = await read({ FunctionName: "raw", Payload: wish });
assert.equal(long.slice(0, -1).map(text).join(""), "x".repeat(length));
assert.ok(long.at(-1).InvokeComplete);

await assert.rejects(invoke({ FunctionName: "none" }), sdk.ResourceNotFoundException);
const tooLarge = JSON.stringify("x".repeat(6 * 1024 * 1024));
await assert.rejects(
  invoke({ FunctionName: "raw", Payload: tooLarge }),
  sdk.RequestTooLargeException,
);

const second = await gate();
const busy = await invoke({ FunctionName: "single", Payload: second.Payload });
const rest = busy.EventStream[Symbol.asyncIterator]();
assert.equal(text((await rest.next()).value), "first");
await assert.rejects(invoke({ FunctionName: "single" }), (err) => {
  assert.ok(err instanceof sdk.TooManyRequestsException, err);
  assert.equal(err.Reason, "ReservedFunctionConcurrentInvocationLimitExceeded");
  return true;
});
await second.open();
assert.equal(text((await rest.next()).value), "last");
assert.ok((await rest.next()).value.InvokeComplete);

console.log("passed");
