"""boto3 against the service: in, its endpoint; out, the word "passed", or what was not so.

That frames come while the function still writes is proved by a handshake: the function goes on only
after this program, having read the first frame, let it.
"""

import json
import socket
import sys

import boto3
from botocore.config import Config

PATIENCE_S = 30
client = boto3.client(
    "lambda",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="AKID",
    aws_secret_access_key="SECRET",
    config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S, proxies={}),
)


def gate():
    """A listener the function waits at, and the payload that makes it wait there."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)
    host, port = listener.getsockname()
    return listener, json.dumps({"do": "wait", "wait_for": f"{host}:{port}"})


def stream(**arguments):
    return client.invoke_with_response_stream(**arguments)["EventStream"]


def raises(error, call):
    try:
        call()
    except error as err:
        return err.response
    raise AssertionError(f"{error.__name__} was not raised")


listener, payload = gate()
answer = client.invoke_with_response_stream(FunctionName="raw", Payload=payload)
assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream", answer
events = iter(answer["EventStream"])
assert next(events) == {"PayloadChunk": {"Payload": b"first"}}
listener.accept()[0].close()
rest = list(events)
assert rest == [{"PayloadChunk": {"Payload": b"last"}}, {"InvokeComplete": {}}], rest

events = list(stream(FunctionName="raw", Payload=json.dumps({"do": "trailers"}), LogType="Tail"))
end = events[-1]["InvokeComplete"]
assert end["ErrorCode"] == "Function.Boom" and "boom" in end["ErrorDetails"], end
assert "LogResult" in end, end

length = 3_000_000
wish = json.dumps({"do": "stream", "bytes": length, "write": 100_000})
events = list(stream(FunctionName="raw", Payload=wish))
got = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
assert got == b"x" * length and events[-1] == {"InvokeComplete": {}}

errors = client.exceptions
raises(errors.ResourceNotFoundException, lambda: stream(FunctionName="none"))
too_large = json.dumps("x" * (6 * 1024 * 1024))
raises(errors.RequestTooLargeException, lambda: stream(FunctionName="raw", Payload=too_large))

listener, payload = gate()
busy = iter(stream(FunctionName="single", Payload=payload))
assert next(busy) == {"PayloadChunk": {"Payload": b"first"}}
told = raises(errors.TooManyRequestsException, lambda: stream(FunctionName="single"))
assert told["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", told
listener.accept()[0].close()
assert list(busy)[-1] == {"InvokeComplete": {}}

print("passed")
