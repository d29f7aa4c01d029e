"""Says what it was started with, to whoever asks by HTTP."""

import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello from {' '.join(sys.argv[1:])}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# PID 1 has to say that it wants to hear SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
HTTPServer(("", 80), Greeter).serve_forever()
