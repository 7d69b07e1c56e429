"""boto3's own loop: in, an endpoint, a function, a payload and how many bytes there are at least; out,
nothing but the time to the first byte, in milliseconds on stderr. The data is thrown away."""

import sys
import time

import boto3

endpoint, function, payload, at_least = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint)
begun = time.perf_counter()
answer = client.invoke_with_response_stream(FunctionName=function, Payload=payload)
received = 0
complete = None
for event in answer["EventStream"]:
    if "PayloadChunk" in event:
        if received == 0:
            print("ttfb_ms", (time.perf_counter() - begun) * 1e3, file=sys.stderr)
        received += len(event["PayloadChunk"]["Payload"])
    elif "InvokeComplete" in event:
        complete = event["InvokeComplete"]
if complete is None or "ErrorCode" in complete or received < int(at_least):
    sys.exit(f"{received} bytes, then {complete}")
