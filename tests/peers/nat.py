"""A NAT between one client and a server, on loopback, that may forget its binding in mid-transfer and make a new one, and may be slow."""

import select
import socket
import threading
import time


class Nat:
    """While it runs: datagrams to `port` go to the server from a port of the NAT's own. When that many bytes came back, the client's next
    datagram goes out from another port, and what comes to the one before is lost from then on. `rate`: bytes that come back a second, so that
    a transfer takes its time however fast the machine is."""

    def __init__(self, server_port, rebind_after=None, rate=None):
        self.server = ("127.0.0.1", server_port)
        self.rebind_after = rebind_after
        self.rate = rate
        self.inside = self.bound_socket()
        self.port = self.inside.getsockname()[1]
        self.forgotten = None  # the binding that nobody reads any more
        self.outside = self.bound_socket()
        self.rebindings = 0
        self.after_last = {"to_server": 0, "to_client": 0}  # datagrams since the rebinding
        self.end, self.end_signal = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)

    @staticmethod
    def bound_socket():
        s = socket.socket(type=socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind(("127.0.0.1", 0))
        s.setblocking(False)
        return s

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end_signal.send(b"x")
        self.thread.join()
        for s in (self.inside, self.outside, self.end, self.end_signal, self.forgotten):
            if s:
                s.close()

    def run(self):
        client, came_back, begin = None, 0, None
        while True:
            ready, _, _ = select.select([self.inside, self.outside, self.end], [], [])
            if self.end in ready:
                return
            if self.inside in ready:
                if self.rebind_after is not None and came_back >= self.rebind_after and self.rebindings == 0:
                    self.rebind()
                for data, client in self.batch(self.inside):
                    self.send(self.outside, data, self.server)
                    self.after_last["to_server"] += 1
            if self.outside in ready:
                begin = begin or time.monotonic()  # not earlier: a client that takes long to start would find the NAT fast
                for data, _ in self.batch(self.outside):
                    self.send(self.inside, data, client)
                    self.after_last["to_client"] += 1
                    came_back += len(data)
                if self.rate:
                    time.sleep(max(0, begin + came_back / self.rate - time.monotonic()))

    def rebind(self):
        self.forgotten = self.outside
        self.outside = self.bound_socket()
        self.rebindings += 1
        self.after_last = {"to_server": 0, "to_client": 0}

    @staticmethod
    def batch(source, most=64):
        for _ in range(most):
            try:
                yield source.recvfrom(65536)
            except (BlockingIOError, ConnectionRefusedError):
                return

    @staticmethod
    def send(through, data, to):
        try:
            through.sendto(data, to)
        except (BlockingIOError, ConnectionRefusedError):
            pass  # lost
