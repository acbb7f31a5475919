#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""lib_server.py tcp:PORT|udp:PORT...: accepts and discards; UDP is answered with what came. On IPv4 and IPv6."""

import selectors
import socket
import sys

sel = selectors.DefaultSelector()
for word in sys.argv[1:]:
    proto, port = word.split(":")
    sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", int(port)))
    if proto == "tcp":
        sock.listen(128)
    sel.register(sock, selectors.EVENT_READ, proto)
while True:
    for key, _ in sel.select():
        try:
            if key.data == "tcp":
                sel.register(key.fileobj.accept()[0], selectors.EVENT_READ, "data")
            elif key.data == "udp":
                data, peer = key.fileobj.recvfrom(65536)
                key.fileobj.sendto(data, peer)
            elif not key.fileobj.recv(65536):
                sel.unregister(key.fileobj)
                key.fileobj.close()
        except OSError:
            if key.data == "data":
                sel.unregister(key.fileobj)
                key.fileobj.close()
