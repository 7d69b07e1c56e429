#!/usr/bin/env python3
"""Writes the seeds of the corpora: real frames, heads and requests, and the ways they break.

Frames are encoded here once more, by a hand that shares nothing with the decoder under test. Files
whose name begins with "found-" are not written here: a fuzzer found them.
"""

import json
import struct
import sys
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
WHOLE = bytes(4)  # cuts: all at once
BYTES = bytes([1, 1, 1, 1])  # cuts: byte by byte
UNEVEN = bytes([13, 2, 31, 5])


def header(name, kind, value=b""):
    if kind in (6, 7):
        value = struct.pack(">H", len(value)) + value
    return bytes([len(name)]) + name + bytes([kind]) + value


def string(name, value):
    return header(name, 7, value)


def frame(headers, payload):
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


def event(kind, content_type, payload):
    return frame(
        string(b":message-type", b"event")
        + string(b":event-type", kind)
        + string(b":content-type", content_type),
        payload,
    )


def chunk(payload):
    return event(b"PayloadChunk", b"application/octet-stream", payload)


def complete(fields):
    return event(b"InvokeComplete", b"application/json", json.dumps(fields).encode())


def head(fields):
    return json.dumps(fields, separators=(",", ":")).encode() + bytes(8)


def write(target, name, data):
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    (CORPUS / target / name).write_bytes(data)


ALL_TYPES = (
    header(b"true", 0)
    + header(b"false", 1)
    + header(b"byte", 2, b"\x80")
    + header(b"short", 3, b"\x80\x00")
    + header(b"int", 4, b"\x7f\xff\xff\xff")
    + header(b"long", 5, b"\x80" + bytes(7))
    + header(b"bytes", 6, b"\x00\xff")
    + header(b"string", 7, "\u00fc".encode())
    + header(b"time", 8, bytes(7) + b"\x01")
    + header(b"uuid", 9, bytes(range(16)))
)

OBJECT_HEAD = head(
    {
        "statusCode": 206,
        "headers": {
            "content-length": "9",
            "content-range": "bytes 0-8/9",
            "etag": '"v1"',
            "accept-ranges": "bytes",
        },
        "cookies": [],
    }
)

LIMIT_HEADERS, LIMIT_PAYLOAD = 200, 250  # as in invoker/src/fuzzing/event_stream.rs


def lengths(total, headers):
    prelude = struct.pack(">II", total, headers)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


def event_streams():
    stream = chunk(OBJECT_HEAD) + chunk(b"some body") + complete({})
    one = frame(string(b"a", b"b"), b"payload")
    yield "answer-whole", WHOLE + stream
    yield "answer-byte-by-byte", BYTES + stream
    yield "answer-uneven", UNEVEN + stream
    yield "answer-without-end", UNEVEN + stream[: -len(complete({}))]
    yield "answer-function-error", UNEVEN + chunk(b"data") + complete(
        {"ErrorCode": "Function.Boom", "ErrorDetails": "gone"}
    )
    yield "service-error", WHOLE + frame(
        string(b":message-type", b"error")
        + string(b":error-code", b"InternalFailure")
        + string(b":error-message", b"sorry"),
        b"",
    )
    yield "all-header-types", UNEVEN + frame(ALL_TYPES, b"payload")
    yield "nothing", WHOLE
    yield "smallest-frames", bytes([5, 16, 1, 20]) + frame(b"", b"") * 5
    yield "frame-and-prelude", WHOLE + one + one[:12]
    yield "cut-in-prelude", WHOLE + one + one[:7]
    yield "cut-before-checksum", BYTES + one + one[:-4]
    yield "prelude-checksum", WHOLE + one + one[:8] + b"\0\0\0\0" + one[12:]
    yield "message-checksum", UNEVEN + one + one[:-1] + bytes([one[-1] ^ 1])
    yield "total-below-framing", WHOLE + lengths(15, 0)
    yield "total-zero", WHOLE + lengths(0, 0)
    yield "headers-beyond-total", WHOLE + lengths(100, 85)
    yield "headers-at-limit", UNEVEN + frame(header(b"n", 6, bytes(LIMIT_HEADERS - 5)), b"")
    yield "headers-beyond-limit", WHOLE + lengths(LIMIT_HEADERS + 17, LIMIT_HEADERS + 1)
    yield "payload-at-limit", bytes([100, 3, 90, 7]) + frame(b"", bytes(LIMIT_PAYLOAD))
    yield "payload-beyond-limit", WHOLE + lengths(LIMIT_PAYLOAD + 17, 0)
    yield "four-gigabytes", WHOLE + lengths(0xFFFFFFFF, 0)
    yield "name-of-no-bytes", WHOLE + frame(header(b"", 0), b"")
    yield "name-not-utf8", WHOLE + frame(header(b"\xff", 0), b"")
    yield "name-overrun", WHOLE + frame(b"\xffname", b"a payload to run into" * 13)
    yield "string-not-utf8", WHOLE + frame(string(b"n", b"\xc3"), b"")
    yield "string-overrun", WHOLE + frame(b"\x01n\x07\x00\x09short", b"a payload to run into")
    yield "uuid-overrun", WHOLE + frame(b"\x01n\x09" + bytes(15), b"x")
    yield "type-unknown", WHOLE + frame(header(b"n", 10), b"")
    yield "one-byte-of-headers", WHOLE + frame(b"\x01", b"x")


def heads():
    yield "object", WHOLE + OBJECT_HEAD + b"some body"
    yield "object-byte-by-byte", BYTES + OBJECT_HEAD + b"some body"
    yield "object-uneven", UNEVEN + OBJECT_HEAD + b"some body"
    yield "empty-object", WHOLE + b"{}" + bytes(8)
    yield "empty-object-spaced", BYTES + b"{ \t\r\n}" + bytes(8) + b"body"
    yield "lambda-runtime", bytes([20, 0, 0, 0]) + head(
        {"statusCode": 200, "headers": {"content-type": "a/b"}, "cookies": ["a=b"]}
    )
    yield "arrays-and-numbers", UNEVEN + head(
        {"headers": {"A": ["1", 2, True, None], "Content-Length": 5}, "statusCode": 201}
    )
    yield "two-maps", UNEVEN + head(
        {"multiValueHeaders": {"a": ["1", "2"]}, "headers": {"A": "3", "b": "4"}}
    )
    yield "cookies-first", WHOLE + head({"cookies": ["a"], "statusCode": 200}) + b"x"
    yield "strings-with-brackets", BYTES + head({"headers": {"a": '}\\"{]['}}) + b"x"
    yield "status-is-text", WHOLE + head({"statusCode": "200"})
    yield "status-too-large", WHOLE + head({"statusCode": 70000})
    yield "length-nonsense", WHOLE + head({"headers": {"content-length": "+5"}})
    yield "length-beyond-64-bits", WHOLE + head({"headers": {"content-length": "9" * 30}})
    yield "deep", WHOLE + b'{"headers":{"a":' + b"[" * 200 + b"]" * 200 + b"}}" + bytes(8)
    yield "brackets-mixed", WHOLE + b'{"headers":{]}' + bytes(8)
    yield "nul-in-string", WHOLE + b'{"headers":{"a":"\0"}}' + bytes(8)
    yield "escaped-key", WHOLE + b'{"status\\u0043ode":200}' + bytes(8)
    yield "seven-nuls", UNEVEN + b'{"statusCode":200}' + bytes(7) + b"x"
    yield "seven-nuls-and-end", BYTES + b'{"statusCode":200}' + bytes(7)
    yield "body-text", UNEVEN + b"plain text"
    yield "body-json", UNEVEN + b'{"rows":[1,2,3]}'
    yield "body-like-a-head", UNEVEN + b'{"statusCode":200}\n{"statusCode":201}\n'
    yield "body-nuls", UNEVEN + bytes(20)
    yield "unfinished", BYTES + b'{"statusCode":200,"headers":{"content-'


def ranges():
    for size, values in {
        0: ["bytes=0-", "bytes=0-0", "bytes=-5"],
        10: [
            "bytes=0-0", "bytes=0-9", "bytes=0-10", "bytes=2-", "bytes=-3", "bytes=-0", "bytes=-11",
            "BYTES = 2-5", "bytes=10-", "bytes=5-2", "bytes=0-1,4-5", "bytes=-", "items=0-1",
            "bytes=+1-2", "bytes=5-" + "9" * 26, "bytes=" + "9" * 26 + "-",
        ],
        2**64 - 1: [
            "bytes=0-18446744073709551615", "bytes=18446744073709551614-18446744073709551615",
            "bytes=-18446744073709551615", "bytes=-18446744073709551616",
        ],
    }.items():
        for at, value in enumerate(values):
            yield f"of-{size}-{at}", struct.pack(">Q", size) + value.encode()


def requests():
    golden = Path(__file__).parent.parent / "tests/golden"
    event_2 = (golden / "event-2.0.json").read_bytes()
    client_context = json.dumps(json.loads((golden / "client-context.json").read_bytes()))

    def call(payload, context=""):
        payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return struct.pack(">H", len(context)) + context.encode() + payload

    rest = {
        "path": "/a/b", "httpMethod": "POST", "headers": {"If-Match": '"b"', "X-One": "1"},
        "multiValueHeaders": {"If-Match": ['"a"', '"b"'], "none": None},
        "queryStringParameters": {"a": "1"}, "requestContext": {"stage": "prod"},
        "body": "eyJhIjoxfQ==", "isBase64Encoded": True,
    }
    http_api = {
        "version": "2.0", "rawPath": "/prod/a%20b%2Bc", "queryStringParameters": {"a": "1,2"},
        "headers": {"Range": "bytes=0-1", "range": "bytes=2-3", "if-none-match": '"x"'},
        "requestContext": {"stage": "prod", "http": {"method": "HEAD"}},
    }
    minimal = {"requestContext": {"http": {"method": "GET"}}, "rawPath": "/x"}
    yield "golden", call(event_2, client_context)
    yield "golden-plain", call({"rows": 3}, client_context)
    yield "plain", call({"rows": 3})
    yield "empty", call(b"")
    yield "not-json", call(b"not json", "{}")
    yield "rest", call(rest)
    yield "http-api", call(http_api)
    yield "both", call(http_api, json.dumps({"custom": {"Range": "bytes=1-2"}}))
    yield "case-twice", call({}, json.dumps({"custom": {"Range": "bytes=1-2", "RANGE": "bytes=3-"}}))
    yield "context-null", call(minimal, "null")
    yield "context-no-custom", call(minimal, '{"env":{"a":"b"}}')
    yield "context-not-text", call(minimal, '{"custom":{"range":5}}')
    yield "path-escapes", call({**minimal, "rawPath": "/%2e%2e/%252e%00%2F"})
    yield "path-not-utf8", call({**minimal, "rawPath": "/%ff"})
    yield "method-nonsense", call({"requestContext": {"http": {"method": "G T"}}, "rawPath": "/"})
    yield "body-not-base64", call({**minimal, "body": "***", "isBase64Encoded": True})
    yield "header-nonsense", call({**minimal, "headers": {"a b": "c", "ok": "a\u0001b", "n": None}})


def claim(kind, start, length, total=0):
    return struct.pack("<IQQQ", kind, start, length, total)


def record(*fields):
    fields = claim(*fields)
    return fields + struct.pack("<I", zlib.crc32(fields))


def journal_header(size=1000, wanted=None):
    return json.dumps({
        "question": {
            "invocation": {
                "function": "f", "qualifier": None, "payload": "e30=", "client_context": {},
                "custom": {"a": "b"}, "tenant_id": None, "log_tail": False,
            },
            "wanted": wanted or "All",
            "note": "",
        },
        "version": {"etag": '"a"', "size": size, "executed": "7"},
        "wanted": {"start": 0, "end": size},
        "description": {
            "ranges": True, "size": size, "etag": '"a"', "executed_version": "7",
            "content_type": None, "last_modified": None, "checksum": None,
        },
    }).encode()


def journal(text, version=1, length=None):
    front = b"invoker journal\n" + struct.pack("<II", version, length or len(text)) + text
    return front + struct.pack("<I", zlib.crc32(front))


def journals():
    whole, text, claims = bytes([0]), bytes([1]), bytes([2])
    header = journal_header()
    records = record(1, 0, 500, 7) + record(1, 600, 400, 8) + record(2, 0, 1) + record(3, 0, 0, 9)
    yield "empty", whole
    yield "header", whole + journal(header)
    yield "records", whole + journal(header) + records
    yield "torn", whole + journal(header) + records[:-3]
    yield "flipped", whole + journal(header) + records[:40] + b"\xff" + records[41:]
    yield "junk", whole + b"a shopping list"
    yield "later", whole + journal(header, version=2)
    yield "long", whole + journal(header, length=0xFFFFFFFF)
    yield "text", text + header
    yield "text-range", text + journal_header(wanted={"Range": {"start": 1, "end": 9}})
    yield "text-unsound", text + header.replace(b'"end": 1000', b'"end": 1001')
    yield "text-not-json", text + b"{"
    size = struct.pack("<H", 1000)
    yield "claims", claims + size + claim(1, 0, 500) + claim(1, 500, 500)
    yield "claims-overlap", claims + size + claim(1, 0, 500) + claim(1, 250, 500) + claim(2, 300, 9)
    yield "claims-beyond", claims + size + claim(1, 900, 500) + claim(1, 0, 1)
    yield "claims-overflow", claims + size + claim(1, 2**64 - 1, 2**64 - 1)
    yield "claims-empty", claims + size + claim(1, 5, 0) + claim(9, 0, 1)
    yield "claims-of-nothing", claims + struct.pack("<H", 0) + claim(1, 0, 1)


def main():
    for name, data in event_streams():
        write("event_stream_raw", name, data)
        write("event_stream_repaired", name, data)
    for target, seeds in {"head": heads, "journal": journals, "range": ranges, "request": requests}.items():
        for name, data in seeds():
            write(target, name, data)
    # The vectors of the official decoder's own tests, if its source is at hand.
    for folder in sys.argv[1:]:
        for path in sorted(Path(folder).iterdir()):
            for target in ("event_stream_raw", "event_stream_repaired"):
                write(target, f"smithy-rs-{path.name}", UNEVEN + path.read_bytes())


main()
