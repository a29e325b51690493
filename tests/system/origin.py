#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""origin - runs inside of the machine: https on port 8443 and http on 8080 of its loopback. Each request gets a line in
/run/origin.log when it has arrived: connection, method, target. /slow waits a tenth of a second."""
import os
import socketserver
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler

FOLDER = os.path.dirname(os.path.abspath(__file__))
LOCK = threading.Lock()
LOG = open('/run/origin.log', 'a', buffering=1, encoding='ascii')
connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def setup(self):
        global connections
        super().setup()
        with LOCK:
            connections += 1
            self.number = connections

    def answer(self):
        self.rfile.read(int(self.headers.get('Content-Length', '0')))
        with LOCK:
            LOG.write(f'{self.number} {self.command} {self.path}\n')
        if self.path.startswith('/slow'):
            time.sleep(0.1)
        body = f'hello from {self.path}\n'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_args):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512
    context = None

    def finish_request(self, request, client_address):
        if self.context:  # in the connection's own thread, not where others are accepted
            request = self.context.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)

    def handle_error(self, *_args):
        pass


def main():
    plain = Server(('127.0.0.1', 8080), Handler)
    secure = Server(('127.0.0.1', 8443), Handler)
    secure.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.context.load_cert_chain(os.path.join(FOLDER, 'machine.pem'), os.path.join(FOLDER, 'machine.key'))
    threading.Thread(target=plain.serve_forever, daemon=True).start()
    secure.serve_forever()


if __name__ == '__main__':
    main()
