"""Reads the logs that tandem writes of its connections, to see that what a case is about did happen."""

import json
import pathlib


class Qlog:
    """The events of all connections that were logged to a directory."""

    def __init__(self, directory):
        self.events = []
        files = sorted(pathlib.Path(directory).glob("*.sqlog"))
        if not files:
            raise AssertionError("no connection was logged")
        for file in files:
            for line in filter(None, file.read_text().split("\n")):  # not splitlines(), for which the records separators are lines too
                event = json.loads(line.lstrip("\x1e"))
                if "name" in event:
                    self.events.append(event)

    def data(self, name):
        return [e["data"] for e in self.events if e["name"] == "quic:" + name]

    def packets(self, direction, kind=None):
        """direction: sent or received; kind: initial, retry, 0RTT, handshake, 1RTT..."""
        return [p for p in self.data("packet_" + direction) if kind is None or p["header"]["packet_type"] == kind]

    def frames(self, direction, kind):
        return [f for p in self.packets(direction) for f in p.get("frames", []) if f["frame_type"] == kind]

    def chosen_version(self):
        return self.data("version_information")[-1]["chosen_version"]

    def versions(self, direction, kind):
        return {p["header"].get("version") for p in self.packets(direction, kind)}

    def key_updates(self, trigger):
        """Those of our receiving and sending keys together count once."""
        return max((k.get("key_phase", 0) for k in self.data("key_updated") if k.get("trigger") == trigger), default=0)

    def migrations(self):
        """Ports of the peer's that were validated after the one of the handshake."""
        return [m for m in self.data("migration_state_updated") if m["new"] == "migration_complete"]

    def ecn_states(self):
        return [e["new"] for e in self.data("ecn_state_updated")]
