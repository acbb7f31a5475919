#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The traffic of the demo: a server, its users, and the flood.

  demo-traffic.py serve                    a login service on port 22, a web service on port 80
  demo-traffic.py login ADDRESS SECONDS    log in once; milliseconds on stdout, or exit status 1
  demo-traffic.py streams ADDRESS COUNT REPORT
                                           long-lived connections that carry data until SIGTERM
  demo-traffic.py flood INTERFACE GATEWAY-MAC ADDRESS RATE COUNT SECONDS REPORT
                                           short connections, each from a random source: a request, an answer,
                                           an orderly end; until SIGTERM, and never more or longer than that
"""

import json
import random
import resource
import select
import signal
import socket
import struct
import sys
import time

LOGIN_PORT = 22
WEB_PORT = 80
# Sources that the router sends back to the flood's namespace: 10.66.0.0/16.
FLOOD_NET = 0x0A420000

PAGE = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n"


class Service:
    """Accepts on both ports and answers by what the first line asks for."""

    def __init__(self):
        self.poll = select.epoll()
        self.listeners = {}
        self.peers = {}
        for port in (LOGIN_PORT, WEB_PORT):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
            sock.listen(4096)
            sock.setblocking(False)
            self.listeners[sock.fileno()] = (sock, port)
            self.poll.register(sock.fileno(), select.EPOLLIN)

    def accept(self, listener, port):
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                continue
            sock.setblocking(False)
            self.peers[sock.fileno()] = sock
            self.poll.register(sock.fileno(), select.EPOLLIN)
            if port == LOGIN_PORT:
                sock.send(b"SSH-2.0-demo\r\n")

    def close(self, fd):
        self.poll.unregister(fd)
        self.peers.pop(fd).close()

    def serve(self, fd):
        sock = self.peers[fd]
        data = sock.recv(4096)
        if data.startswith(b"login "):
            sock.send(b"welcome " + data[6:])
            self.close(fd)
        elif data.startswith(b"GET "):
            sock.send(PAGE)
            self.close(fd)
        elif data:
            sock.send(data)
        else:
            self.close(fd)

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                if fd in self.listeners:
                    self.accept(*self.listeners[fd])
                    continue
                try:
                    self.serve(fd)
                except BlockingIOError:
                    pass
                except OSError:
                    self.close(fd)


def serve():
    # A connection flood leaves its connections open here.
    resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
    Service().run()
    return 0


def login(address, seconds):
    start = time.monotonic()
    deadline = start + float(seconds)
    try:
        with socket.create_connection((address, LOGIN_PORT), timeout=float(seconds)) as sock:
            answer = b""
            sock.sendall(b"login admin\r\n")
            while b"welcome admin" not in answer:
                sock.settimeout(max(deadline - time.monotonic(), 0.01))
                data = sock.recv(4096)
                if not data:
                    return 1
                answer += data
    except OSError:
        return 1
    print(round((time.monotonic() - start) * 1000))
    return 0


def exchange(sock, line):
    """Send a line and wait for its echo."""
    sock.sendall(line)
    answer = b""
    while len(answer) < len(line):
        data = sock.recv(4096)
        if not data:
            return False
        answer += data
    return answer == line


class Stop(Exception):
    pass


def stop(_signal, _frame):
    raise Stop


def streams(address, count, report):
    peers = []
    result = {"opened": 0, "kept": 0, "bytes": 0}
    for _ in range(int(count)):
        sock = socket.create_connection((address, WEB_PORT), timeout=5)
        peers.append(sock)
    result["opened"] = len(peers)
    alive = set(peers)
    turn = 0

    def everyone():
        line = b"line %d\n" % turn
        for sock in list(alive):
            try:
                if not exchange(sock, line):
                    raise OSError("wrong answer")
                result["bytes"] += 2 * len(line)
            except OSError:
                alive.discard(sock)

    signal.signal(signal.SIGTERM, stop)
    try:
        everyone()
        with open(report + ".up", "w", encoding="ascii"):
            pass
        while True:
            turn += 1
            everyone()
            time.sleep(0.5)
    except Stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Being open proves nothing: each one must carry one more line. The signal may have torn a line apart, so
    # whatever still is under way is read first.
    time.sleep(1)
    for sock in alive:
        sock.setblocking(False)
        try:
            while sock.recv(4096):
                pass
        except OSError:
            pass
        sock.settimeout(5)
    turn += 1
    everyone()
    result["kept"] = len(alive)
    with open(report, "w", encoding="ascii") as out:
        json.dump(result, out)
    return 0


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


FIN, SYN, PSH, ACK = 1, 2, 8, 16


class Flood:
    """Connections from random sources, without any state: what comes in says what goes out."""

    def __init__(self, interface, gateway, address):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.sock.bind((interface, 0x0800))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.setblocking(False)
        own = self.sock.getsockname()[4]
        self.ether = bytes.fromhex(gateway.replace(":", "")) + own + b"\x08\x00"
        self.target = socket.inet_aton(address)
        self.opened = 0
        self.answered = set()
        self.stopped = False

    def send(self, source, sport, seq, ack, flags, data=b""):
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0x4000, 64, 6, 0, source, self.target)
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        tcp = struct.pack("!HHIIBBHHH", sport, WEB_PORT, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 65535, 0, 0)
        pseudo = source + self.target + struct.pack("!HH", 6, 20 + len(data))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + data)) + tcp[18:]
        try:
            self.sock.send(self.ether + ip + tcp + data)
        except OSError:
            # The queue of the interface is full: a flood that loses packets is still one.
            pass

    def open(self):
        source = struct.pack("!I", FLOOD_NET | random.randrange(1, 65535))
        self.send(source, random.randrange(1024, 65536), random.getrandbits(32), 0, SYN)
        self.opened += 1

    def answer(self):
        try:
            packet, where = self.sock.recvfrom(2048)
        except BlockingIOError:
            return False
        ip = packet[14:]
        if where[2] == socket.PACKET_OUTGOING or len(ip) < 40 or ip[9] != 6:
            return True
        tcp = ip[(ip[0] & 15) * 4:]
        sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
        if sport != WEB_PORT:
            return True
        source = ip[16:20]
        size = struct.unpack("!H", ip[2:4])[0] - (ip[0] & 15) * 4 - (offset >> 4) * 4
        if flags & (SYN | ACK) == SYN | ACK:
            # A set: a SYN-ACK may come twice.
            self.answered.add((source, dport))
            self.send(source, dport, ack, seq + 1, ACK)
            self.send(source, dport, ack, seq + 1, ACK | PSH, b"GET / HTTP/1.0\r\n\r\n")
        elif flags & FIN:
            self.send(source, dport, ack, seq + size + 1, ACK | FIN)
        return True

    def stop(self, _signal, _frame):
        self.stopped = True

    def run(self, rate, count, seconds):
        signal.signal(signal.SIGTERM, self.stop)
        start = time.monotonic()
        end = start + seconds
        while not self.stopped and self.opened < count and (now := time.monotonic()) < end:
            if self.opened < (now - start) * rate:
                self.open()
                for _ in range(4):
                    if not self.answer():
                        break
            elif not self.answer():
                select.select([self.sock], [], [], 0.002)
        # Let the last ones end.
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if not self.answer():
                select.select([self.sock], [], [], 0.1)


def flood(interface, gateway, address, rate, count, seconds, report):
    generator = Flood(interface, gateway, address)
    generator.run(float(rate), int(count), float(seconds))
    with open(report, "w", encoding="ascii") as out:
        json.dump({"opened": generator.opened, "answered": len(generator.answered)}, out)
    return 0


COMMANDS = {"serve": serve, "login": login, "streams": streams, "flood": flood}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(COMMANDS[sys.argv[1]](*sys.argv[2:]))


if __name__ == "__main__":
    main()
