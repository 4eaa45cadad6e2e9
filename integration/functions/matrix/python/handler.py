import base64
import os
import time

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


def handle(event, context):
    """The Python function of the matrix answers by path."""
    if event.path == "/json":
        return {"body": {"language": "python"}}
    if event.path == "/html":
        return "<p>python</p>"
    if event.path == "/png":
        return {"headers": {"Content-Type": "image/png"}, "body": PNG}
    if event.path == "/echo":
        return {"body": event.body}
    if event.path == "/native":
        import zlib

        from markupsafe import _speedups
        assert _speedups._escape_inner("<") == "&lt;"
        return {"body": {"crc32": zlib.crc32(b"hello")}}
    if event.path == "/secret":
        with open(os.path.join(os.environ["secret_mount_path"], "matrix"), "rb") as secret:
            return {"body": secret.read()}
    if event.path == "/crash":
        os._exit(3)
    if event.path == "/slow":
        time.sleep(10)


def handle_event(event, context):
    return {"batchItemFailures": [{"itemIdentifier": m["messageId"]} for m in event["Records"] if m["body"] == "bad"]}
