"""slixmpp as a peer of the tests: its plugins for XEP-0323 and XEP-0325 as they are.

    /usr/bin/python3 slixmpp_peer.py PORT JID PASSWORD CA

Takes commands as lines of JSON on its standard input, and prints what it sees as lines of JSON. It ends when its input
does. Each command has a "do"; each line an "event".
"""

import asyncio
import json
import os
import sys

import slixmpp
from slixmpp.plugins.xep_0323.device import Device as SensorDevice
from slixmpp.plugins.xep_0325.device import Device as ControlDevice
from slixmpp.plugins.xep_0325.stanza.control import RequestNode, ResponseParameter
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import StanzaPath

PLUGINS = ("xep_0004", "xep_0030", "xep_0066", "xep_0077", "xep_0199", "xep_0323", "xep_0325")
CONTROL = "{urn:xmpp:iot:control}"


def say(event, **what):
    """One line; from whatever thread: the plugin reads its devices in threads of their own."""
    os.write(1, (json.dumps({"event": event, **what}, default=str) + "\n").encode())


class Sensor(SensorDevice):
    """The plugin's own sensor; it tells what it was asked. A silent one never answers."""

    silent = False

    def request_fields(self, fields, flags, session, callback):
        say("asked", nodeId=self.nodeId, fields=list(fields), flags=flags)
        if not self.silent:
            super().request_fields(fields, flags=flags, session=session, callback=callback)


class Actuator(ControlDevice):
    """The plugin's own actuator; it tells what was set. A silent one never answers."""

    silent = False

    def set_control_fields(self, fields, session, callback):
        if not self.silent:
            super().set_control_fields(fields, session=session, callback=callback)

    def _set_field_value(self, name, value):
        super()._set_field_value(name, value)
        say("device set", nodeId=self.nodeId, name=name, value=value)


class Peer(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca):
        super().__init__(jid, password)
        for plugin in PLUGINS:
            # By default the plugin answers readouts from a thread, and asyncio does not notice what a thread sends.
            self.register_plugin(plugin, {"threaded": False} if plugin == "xep_0323" else None)
        self["xep_0077"].force_registration = True
        # Without it the registration is kept back until the session has begun, which it never does.
        self._always_send_everything = True
        self.ca_certs = ca
        self.add_event_handler("register", self.on_register)
        self.add_event_handler("session_start", self.on_start)
        for event in ("failed_auth", "failed_all_auth", "connection_failed", "ssl_invalid_chain"):
            self.add_event_handler(event, lambda what, event=event: say("failed", why=f"{event}: {what}"))
        # The plugins hand on no error that is one of RFC 6120: what slixmpp itself makes of it is told here.
        self.register_handler(Callback("errors", StanzaPath("iq@type=error"), self.on_error))
        self.register_handler(
            Callback("message errors", StanzaPath("message@type=error"), lambda message: say("message error"))
        )
        # Nor do they hand on what a response names, though slixmpp's stanzas know it.
        self.register_handler(Callback("responses", StanzaPath("iq@type=result/setResponse"), self.on_response))
        self.buffer = b""

    async def on_register(self, _form):
        register = self.Iq()
        register["type"] = "set"
        register["register"]["username"] = self.boundjid.user
        register["register"]["password"] = self.password
        try:
            await register.send()
        except slixmpp.exceptions.IqError:
            pass  # the account is there already

    async def on_start(self, _event):
        self.add_event_handler(
            "presence_subscribe", lambda presence: self.send_presence(pto=presence["from"], ptype="subscribed")
        )
        self.send_presence()
        say("online", jid=self.boundjid.full)
        self.loop.add_reader(0, self.on_input)
        self.wake()

    def wake(self):
        """The plugin's own time-outs come from threads whatever is set: this has asyncio look for what they send."""
        self.loop.call_later(0.05, self.wake)

    def on_error(self, iq):
        error = iq["error"]
        problems = iq.xml.findall(f".//{CONTROL}paramError")
        say(
            "error",
            id=iq["id"],
            condition=error["condition"],
            type=error["type"],
            text=error["text"],
            parameters={problem.get("var"): problem.text for problem in problems},
        )

    def on_response(self, iq):
        response = iq["setResponse"]
        say(
            "response",
            id=iq["id"],
            nodes=[part["nodeId"] for part in response["substanzas"] if isinstance(part, RequestNode)],
            parameters=[part["name"] for part in response["substanzas"] if isinstance(part, ResponseParameter)],
        )

    def exception(self, exception):
        """Whatever a handler, the plugins' own ones too, did not expect."""
        say("exception", what=repr(exception))

    def on_input(self):
        read = os.read(0, 65536)
        if read == b"":
            self.loop.remove_reader(0)
            self.disconnect()
            return
        *lines, self.buffer = (self.buffer + read).split(b"\n")
        for line in lines:
            command = json.loads(line)
            getattr(self, "do_" + command.pop("do"))(**command)

    def do_mark(self):
        """Whatever was seen before stands before this line."""
        say("marked")

    # As a reader and controller

    def do_read(self, name, to, nodes=None, fields=None, flags=None):
        def callback(**what):
            what["from_jid"] = str(what["from_jid"])
            say("readout", name=name, **what)

        session = self["xep_0323"].request_data(self.boundjid.full, to, callback, nodes, fields, flags)
        say("requested", name=name, id=session)

    def do_cancel(self, session):
        self["xep_0323"].cancel_request(session)
        say("cancelling", session=session)

    def do_set(self, name, to, fields, nodes=None):
        def callback(**what):
            say("set", name=name, **what)

        before = self["xep_0325"].last_seqnr
        self["xep_0325"].set_request(self.boundjid.full, to, callback, [tuple(field) for field in fields], nodes)
        say("requested", name=name, id=str(before + 1))

    def do_command(self, to, fields, nodes=None):
        self["xep_0325"].set_command(self.boundjid.full, to, [tuple(field) for field in fields], nodes)
        say("sent")

    # As a device

    def do_sensor(self, nodeId, fields, seconds=10, silent=False):
        sensor = Sensor(nodeId)
        sensor.silent = silent
        for field in fields:
            sensor._add_field(field["name"], field["type"], field.get("unit"), field.get("dataType"))
            flags = field.get("flags", {"automaticReadout": "true"})
            if "timestamp" in field:
                sensor._add_field_timestamp_data(field["name"], field["timestamp"], field["value"], dict(flags))
            else:
                sensor._add_field_momentary_data(field["name"], field["value"], dict(flags))
        self["xep_0323"].register_node(nodeId, sensor, seconds)
        say("registered", nodeId=nodeId)

    def do_actuator(self, nodeId, fields, seconds=10, silent=False):
        actuator = Actuator(nodeId)
        actuator.silent = silent
        for name, kind, value in fields:
            actuator._add_control_field(name, kind, value)
        self["xep_0325"].register_node(nodeId, actuator, seconds)
        say("registered", nodeId=nodeId)

    def do_sessions(self):
        """How many readouts the plugin's sensors have under way."""
        say("sessions", count=len(self["xep_0323"].sessions))

    def do_admit(self, jid):
        """From now on the plugin's devices obey nobody else."""
        self["xep_0323"]._set_authenticated(jid)
        self["xep_0325"]._set_authenticated(jid)
        say("admits", jid=jid)


def main():
    port, jid, password, ca = sys.argv[1:]
    peer = Peer(jid, password, ca)
    peer.connect(("127.0.0.1", int(port)))
    peer.loop.run_until_complete(peer.disconnected)


main()
