// Invocations of the Runtime API come in; a streaming handler is called with each, and its answer goes out
// while it is written, with real trailers if it fails after the first byte.
//
//     node runtime.mjs PATH/objects.handler
//
// On Lambda this is what AWS's own runtime does. It is here so that a function runs under any Lambda on
// loopback (`invoker local`) with nothing but Node.js: aws-lambda-ric, which is that runtime as a package,
// compiles curl and C++ with CMake when it is installed.

import http from "node:http";
import path from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const STREAMING = Symbol("streaming");
const FAIL = Symbol("fail");
const HEAD = Symbol("head");
const RETURNED = Symbol("returned");

const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";

// What both classic Lambda and Managed Instances report as it is.
const REPORTED_TYPE = /^(Runtime|Function)\.[A-Z][a-zA-Z]+$/;

// What a function finds in AWS's runtime.
globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: true }),
  HttpResponseStream: {
    from(responseStream, head) {
      responseStream[HEAD](head);
      return responseStream;
    },
  },
};

const api = process.env.AWS_LAMBDA_RUNTIME_API;
const agent = new http.Agent({ keepAlive: true });

function fail(message) {
  console.error(`runtime.mjs: ${message}`);
  process.exit(1);
}

async function load(place) {
  const file = place.slice(0, place.lastIndexOf("."));
  const name = place.slice(place.lastIndexOf(".") + 1);
  const module = await import(pathToFileURL(path.resolve(`${file}.mjs`))).catch((error) => {
    fail(`cannot load ${file}.mjs: ${error.message}`);
  });
  const found = module[name];
  if (typeof found !== "function" || !found[STREAMING]) {
    fail(`${file}.mjs exports no streaming handler ${name}: wrap it in awslambda.streamifyResponse`);
  }
  return found;
}

async function next() {
  const request = call("GET", "/2018-06-01/runtime/invocation/next");
  request.end();
  const { status, headers, body } = await reply(request).catch((error) => {
    fail(`the Runtime API cannot be reached: ${error.message}`);
  });
  if (status !== 200) {
    fail(`the Runtime API gave no invocation but ${status}`);
  }
  return {
    event: JSON.parse(body.toString()),
    // Echoed where there is one: of several invocations at once it tells them apart.
    echo: headers["lambda-runtime-invocation-id"],
    context: {
      awsRequestId: headers["lambda-runtime-aws-request-id"],
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      clientContext: parsed(headers["lambda-runtime-client-context"]),
      getRemainingTimeInMillis: () => Number(headers["lambda-runtime-deadline-ms"]) - Date.now(),
    },
  };
}

function parsed(json) {
  try {
    return json === undefined ? undefined : JSON.parse(json);
  } catch {
    return undefined;
  }
}

async function serve({ event, context, echo }) {
  const answer = new Answer(context.awsRequestId, echo);
  try {
    await handler(event, answer, context);
    answer[RETURNED]();
  } catch (error) {
    answer[FAIL](error);
  }
  try {
    await answer.taken;
  } catch (error) {
    // Lambda has the last word about this invocation; the next one is asked for.
    console.error(`${context.awsRequestId}: the answer was not taken: ${error.message}`);
  }
}

// The answer of one invocation. Its request begins with the first byte, so that a failure before it is a
// report of its own.
class Answer extends Writable {
  constructor(requestId, echo) {
    super();
    this.requestId = requestId;
    this.echo = echo === undefined ? {} : { "Lambda-Runtime-Invocation-Id": echo };
    this.taken = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
    this.taken.catch(() => {}); // looked at when the handler has ended
    this.on("error", () => {}); // told by FAIL, or by the promise
  }

  [HEAD](head) {
    this.head = head;
  }

  begin() {
    if (this.request) {
      return;
    }
    const type = this.head ? "vnd.awslambda.http-integration-response" : "octet-stream";
    this.request = call("POST", `/2018-06-01/runtime/invocation/${this.requestId}/response`, {
      "Content-Type": `application/${type}`,
      "Lambda-Runtime-Function-Response-Mode": "streaming",
      "Transfer-Encoding": "chunked",
      Trailer: `${ERROR_TYPE}, ${ERROR_BODY}`,
      ...this.echo,
    });
    reply(this.request).then(({ status }) => {
      if (status < 300) {
        this.resolve();
      } else {
        const error = new Error(`the Runtime API replied ${status}`);
        this.reject(error);
        this.destroy(error);
      }
    }, (error) => {
      this.reject(error);
      this.destroy(error);
    });
    if (this.head) {
      // JSON, which has no NUL in it, and eight of them; in one write.
      this.request.write(Buffer.concat([Buffer.from(JSON.stringify(this.head)), Buffer.alloc(8)]));
    }
  }

  _write(chunk, _encoding, done) {
    this.begin();
    this.request.write(chunk, (error) => done(error));
  }

  // The handler may still fail after its `end()`: the clean end is sent when it has returned.
  _final(done) {
    this.complete = true;
    if (this.returned) {
      this.conclude();
    }
    done();
  }

  [RETURNED]() {
    this.returned = true;
    if (this.complete) {
      this.conclude();
    } else if (!this.writableEnded) {
      this.end();
    }
  }

  conclude() {
    this.begin();
    this.request.end();
  }

  [FAIL](error) {
    const type = REPORTED_TYPE.test(error?.name) ? error.name : "Function.Error";
    const report = JSON.stringify({ errorType: type, errorMessage: String(error?.message ?? error) });
    console.error(`${this.requestId}: ${type}: ${error?.message ?? error}`);
    if (this.request) {
      // In base64, because a line end in the message would cut the trailer.
      this.request.addTrailers({ [ERROR_TYPE]: type, [ERROR_BODY]: Buffer.from(report).toString("base64") });
      this.request.end();
      return;
    }
    this.request = call("POST", `/2018-06-01/runtime/invocation/${this.requestId}/error`, {
      "Content-Type": "application/json",
      [ERROR_TYPE]: type,
      ...this.echo,
    });
    reply(this.request).then(this.resolve, this.reject);
    this.request.end(report);
  }
}

function call(method, target, headers = {}) {
  const [host, port] = api.split(":");
  return http.request({ method, host, port, path: target, headers, agent });
}

function reply(request) {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
  });
}

const [place] = process.argv.slice(2);
if (!api || !place) {
  fail(
    api
      ? "no handler: say `node runtime.mjs PATH/FILE.EXPORT`"
      : "AWS_LAMBDA_RUNTIME_API is not set: this is started by Lambda, or by an emulator of it",
  );
}
const handler = await load(place);
for (;;) {
  await serve(await next());
}
