// The loop of the AWS SDK for JavaScript: in, an endpoint, a function, a payload, how many bytes there
// are at least, and the folder the SDK is installed in; out, nothing but the time to the first byte, in
// milliseconds on stderr. The data is thrown away.

import { createRequire } from "node:module";

const [endpoint, FunctionName, Payload, atLeast, installed] = process.argv.slice(2);
const sdk = createRequire(`${installed}/`)("@aws-sdk/client-lambda");
const client = new sdk.LambdaClient({ endpoint });
const begun = performance.now();
const input = { FunctionName, Payload };
const answer = await client.send(new sdk.InvokeWithResponseStreamCommand(input));
let received = 0;
let complete;
for await (const event of answer.EventStream) {
  if (event.PayloadChunk) {
    if (received === 0) console.error("ttfb_ms", performance.now() - begun);
    received += event.PayloadChunk.Payload.length;
  } else if (event.InvokeComplete) {
    complete = event.InvokeComplete;
  }
}
if (!complete || complete.ErrorCode || received < Number(atLeast)) {
  throw new Error(`${received} bytes, then ${JSON.stringify(complete)}`);
}
process.exit(0); // without waiting for connections that are kept
