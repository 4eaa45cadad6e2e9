import json
import os
import socket
import subprocess
import sys
import threading
import types
import unittest
import urllib.error
import urllib.request
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import index  # noqa: E402
from function import handler as template  # noqa: E402


class Case(unittest.TestCase):
    def serve(self, handle, handle_event=None, name="fn"):
        module = types.SimpleNamespace(handle=handle)
        if handle_event:
            module.handle_event = handle_event
        with mock.patch.dict(os.environ, {"AWS_LAMBDA_FUNCTION_NAME": name}):
            server = index.Server(("127.0.0.1", 0), module)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def ask(self, url, data=None, method=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers)) as res:
                return res.status, res.headers.get("Content-Type"), res.read()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, err.headers.get("Content-Type"), err.read()

    def test_what_a_handler_prints_is_logged_at_once(self):
        program = "\n".join([
            "import index, os",
            "class Server:",
            "    def __init__(self, *_): pass",
            "    def serve_forever(self): print('hello'), os._exit(0)",
            "index.Server = Server",
            "index.main()",
        ])
        done = subprocess.run([sys.executable, "-EB", "-c", program], cwd=os.path.dirname(index.__file__), capture_output=True, check=True)
        self.assertEqual(done.stdout, b"hello\n")

    def test_the_request_is_in_the_event(self):
        def handle(event, context):
            return {"body": {"method": event.method, "path": event.path, "x": event.query.getlist("x"), "first": event.query.get("x"),
                             "a": event.headers["x-a"], "none": event.headers.get("none"), "body": event.body.hex(), "host": context.hostname}}
        status, kind, body = self.ask(self.serve(handle) + "/a%20b?x=1&x=2", b"\xff", "PATCH", X_A="1")
        got = json.loads(body)
        got.pop("host")
        self.assertEqual((status, kind), (200, "application/json"))
        self.assertEqual(got, {"method": "PATCH", "path": "/a b", "x": ["1", "2"], "first": "1", "a": "1", "none": None, "body": "ff"})

    def test_chunked_bodies(self):
        url = self.serve(lambda event, context: {"body": event.body})
        data = (part for part in (b"hel", b"lo"))
        self.assertEqual(self.ask(url, data, "POST")[2], b"hello")

    def test_an_answer_without_content_has_none(self):
        url = self.serve(lambda event, context: {"statusCode": int(event.path[1:]), "body": "text"})
        with socket.create_connection(url.removeprefix("http://").split(":")) as connection:
            connection.sendall(b"GET /204 HTTP/1.1\r\n\r\nGET /304 HTTP/1.1\r\n\r\nGET /200 HTTP/1.1\r\nConnection: close\r\n\r\n")
            answers = b"".join(iter(lambda: connection.recv(4096), b""))
        self.assertEqual((answers.count(b"HTTP/1.1"), answers.count(b"\r\n\r\ntext")), (3, 1), answers)

    def test_answers(self):
        class Response:
            status_code, headers = 202, {"Content-Type": "a/b"}.items()

            def get_data(self):
                return b"library"
        for name, result, want in [
            ("dict", {"statusCode": 201, "body": "text", "headers": {"Content-type": "a/b"}}, (201, "a/b", b"text")),
            ("bytes", {"body": b"\xff", "headers": [("Content-Type", "image/png")]}, (200, "image/png", b"\xff")),
            ("object", {"body": {"a": 1}}, (200, "application/json", b'{"a": 1}')),
            ("text", "text", (200, index.HTML, b"text")),
            ("tuple", ("text", 404, {"Content-Type": "a/b"}), (404, "a/b", b"text")),
            ("nothing", None, (200, index.HTML, b"")),
            ("response of a library", Response(), (202, "a/b", b"library")),
        ]:
            with self.subTest(name):
                self.assertEqual(self.ask(self.serve(lambda event, context, result=result: result)), want)

    def test_an_exception_is_status_500(self):
        def handle(event, context):
            raise ValueError("broken")
        with mock.patch("traceback.print_exc"):
            self.assertEqual(self.ask(self.serve(handle)), (500, index.TEXT, b"ValueError: broken"))

    def test_events_go_to_handle_event(self):
        def handle_event(event, context):
            if "fail" in event:
                raise ValueError("no ink")
            return {"records": len(event["Records"]), "left": context.get_remaining_time_in_millis() > 0, "id": context.aws_request_id}
        url = self.serve(lambda event, context: "request", handle_event)
        headers = {"X_Lambda_Event_Source": "aws:sqs", "X_Lambda_Request_Id": "7", "X_Lambda_Deadline_Ms": "4102444800000"}
        self.assertEqual(json.loads(self.ask(url, b'{"Records":[1,2]}', **headers)[2]), {"records": 2, "left": True, "id": "7"})
        with mock.patch("traceback.print_exc"):
            self.assertEqual(self.ask(url, b'{"fail":1}', **headers)[0], 500)
        self.assertEqual(self.ask(url, b"{}")[2], b"request")
        elsewhere = self.serve(lambda event, context: "request", handle_event, name="")
        self.assertEqual(self.ask(elsewhere, b"{}", **headers)[2], b"request")

    def test_the_function_of_the_template_answers(self):
        url = self.serve(template.handle, template.handle_event)
        self.assertEqual(json.loads(self.ask(url, b"world")[2]), {"body": "world"})


if __name__ == "__main__":
    unittest.main()
