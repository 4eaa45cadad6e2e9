"""Serves the function's handler to the watchdog in front of it, and the events of
Lambda's triggers to its handle_event where there is one. It needs nothing but
Python, so a cold start loads nothing else."""

import json
import os
import signal
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit


class Headers(dict):
    """Headers by names in any case; the first value of each. get returns None
    for one that is not there, [] raises KeyError."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            self.setdefault(name.title(), value)

    def __getitem__(self, name):
        return super().__getitem__(name.title())

    def __contains__(self, name):
        return super().__contains__(name.title())

    def get(self, name, default=None):
        return super().get(name.title(), default)


class Query(dict):
    """The first value of each parameter; getlist has them all."""

    def __init__(self, text):
        super().__init__()
        self._all = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            self.setdefault(name, value)
            self._all.setdefault(name, []).append(value)

    def getlist(self, name):
        return self._all.get(name, [])


class Event:
    """A request: body is bytes."""

    def __init__(self, method, target, headers, body):
        url = urlsplit(target)
        self.body = body
        self.headers = Headers(headers)
        self.method = method
        self.query = Query(url.query)
        self.path = unquote(url.path)


class Context:
    def __init__(self):
        self.hostname = os.getenv("HOSTNAME", "localhost")


class EventContext:
    """What Lambda's own runtime gives a handler, as far as it is known here."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("X-Lambda-Request-Id")
        self.invoked_function_arn = headers.get("X-Lambda-Function-Arn")
        self.function_name = os.getenv("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.getenv("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.getenv("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.getenv("AWS_LAMBDA_LOG_STREAM_NAME")
        self._deadline = int(headers.get("X-Lambda-Deadline-Ms") or 0)

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))


HTML, JSON, TEXT = "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8"


def content(body):
    """The bytes of a body, and the type they have if nothing else is said."""
    if body is None:
        return b"", HTML
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    if isinstance(body, (dict, list)):
        return json.dumps(body).encode(), JSON
    return str(body).encode(), HTML


def answer(result):
    """Status, headers and bytes of what a handler returned: a dict with
    statusCode, body and headers, a body alone, a tuple of body, status and
    headers as Flask has it, or the response of a library."""
    status, headers = 200, []
    if isinstance(result, dict):
        status, headers, body = result.get("statusCode", 200), result.get("headers", []), result.get("body", "")
    elif isinstance(result, tuple):
        body, rest = result[0], result[1:]
        for part in rest:
            if isinstance(part, int):
                status = part
            else:
                headers = part
    elif hasattr(result, "get_data") and hasattr(result, "status_code"):
        status, headers, body = result.status_code, list(result.headers), result.get_data()
    else:
        body = result
    headers = list(headers.items()) if hasattr(headers, "items") else list(headers)
    data, kind = content(body)
    names = {str(name).lower() for name, _ in headers}
    if "content-type" not in names:
        headers.append(("Content-Type", kind))
    return int(status), [(n, v) for n, v in headers if str(n).lower() != "content-length"], data


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, module):
        super().__init__(address, Request)
        self.handle = module.handle
        # Events come from Lambda alone; a client's header elsewhere makes none.
        on_lambda = bool(os.getenv("AWS_LAMBDA_FUNCTION_NAME"))
        self.handle_event = getattr(module, "handle_event", None) if on_lambda else None


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together

    def log_message(self, *_):
        pass  # the watchdog logs requests

    def read_body(self):
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def chunks(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline().strip():
                    pass
                return
            yield self.rfile.read(size)
            self.rfile.readline()

    def serve(self):
        try:
            body = self.read_body()
            if self.server.handle_event and self.headers.get("X-Lambda-Event-Source"):
                result = self.server.handle_event(json.loads(body), EventContext(self.headers))
                status, headers, data = 200, [("Content-Type", JSON)], json.dumps(result).encode()
            else:
                event = Event(self.command, self.path, self.headers.items(), body)
                status, headers, data = answer(self.server.handle(event, Context()))
        except Exception as err:
            traceback.print_exc()
            status, headers, data = 500, [("Content-Type", TEXT)], f"{type(err).__name__}: {err}".encode()
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status in (204, 304):  # these have no body
            data = b""
        else:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve


def main():
    # What a handler prints is in the log at once, and not when a page of it is full.
    sys.stdout.reconfigure(line_buffering=True)
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "function"))
    from function import handler

    server = Server(("127.0.0.1", int(os.getenv("http_port") or 5000)), handler)
    # shutdown waits for serve_forever, which this thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
