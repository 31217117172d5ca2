"""hook: a receiver of webhooks. hook.py PORT FILE: writes each request to FILE as one JSON line, answers 200. Port 0: prints it."""
import http.server
import json
import sys


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(sys.argv[2], "a", encoding="utf-8") as f:
            row = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
            row["body"] = json.loads(body or b"null")
            f.write(json.dumps(row) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
print(server.server_port, flush=True)
server.serve_forever()
