"""Paho for Python: reads what to do as lines of JSON, writes an answer to each, and the messages that come."""
import hashlib
import json
import sys
import threading
import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

output = threading.Lock()
clients = {}

# As others name them, and as Paho does.
NAMES = {
    "messageExpiryInterval": "MessageExpiryInterval",
    "contentType": "ContentType",
    "responseTopic": "ResponseTopic",
    "correlationData": "CorrelationData",
    "userProperties": "UserProperty",
    "topicAlias": "TopicAlias",
    "subscriptionIdentifier": "SubscriptionIdentifier",
}


def write(answer):
    with output:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def digest(payload):
    if len(payload) <= 4096:
        return payload.decode()
    return f"{len(payload)} bytes, {hashlib.sha256(payload).hexdigest()}"


def properties_of(packet_type, given):
    properties = Properties(packet_type)
    for name, value in given.items():
        if name == "correlationData":
            value = value.encode()
        if name == "userProperties":
            value = [tuple(pair) for pair in value]
        setattr(properties, NAMES[name], value)
    return properties


def names_of(properties):
    found = {}
    for name, theirs in NAMES.items():
        value = getattr(properties, theirs, None)
        if value is not None:
            found[name] = value.decode() if isinstance(value, bytes) else value
    return found


class Client:
    def __init__(self, name, given):
        self.version = given["version"]
        self.changed = threading.Condition()
        self.state = "new"
        self.problem = None
        self.granted = {}
        clean = given.get("sessionExpiry") is None
        self.mqtt = client = mqtt.Client(
            client_id=given["clientId"],
            clean_session=clean if self.version < 5 else None,
            protocol=self.version,
            transport=given["transport"],
            reconnect_on_failure=given.get("reconnect", False),
        )
        client.reconnect_delay_set(0.05, 0.1)
        client.on_connect = self.on_connect
        client.on_disconnect = self.on_disconnect
        client.on_subscribe = lambda _, __, mid, codes, *___: self.change(lambda: self.granted.update({mid: codes}))
        client.on_message = lambda _, __, message: write({"client": name, "message": self.read(message)})
        will = given.get("will")
        if will is not None:
            properties = None
            if self.version == 5:
                properties = properties_of(PacketTypes.WILLMESSAGE, will.get("properties", {}))
                properties.WillDelayInterval = will.get("delay", 0)
            client.will_set(will["topic"], will["payload"], will.get("qos", 0), will.get("retain", False), properties)
        if self.version < 5:
            client.connect("127.0.0.1", given["port"])
        else:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = given.get("sessionExpiry") or 0
            client.connect("127.0.0.1", given["port"], clean_start=clean, properties=properties)
        client.loop_start()
        self.wait(lambda: self.state != "new")
        if self.state != "connected":
            raise RuntimeError(self.problem)

    def change(self, do):
        with self.changed:
            do()
            self.changed.notify_all()

    def wait(self, fits):
        with self.changed:
            self.changed.wait_for(fits)

    def on_connect(self, client, _, flags, code, *__):
        def do():
            self.state = "connected" if code == 0 else "ended"
            self.problem = str(code)
            self.session_present = bool(flags["session present"])
        self.change(do)

    def on_disconnect(self, client, _, code, *__):
        def do():
            self.state = "ended"
            self.problem = str(code)
        self.change(do)

    def read(self, message):
        return {
            "topic": message.topic,
            "payload": digest(message.payload),
            "qos": message.qos,
            "retain": bool(message.retain),
            "dup": bool(message.dup),
            "properties": names_of(message.properties) if self.version == 5 else {},
        }

    def subscribe(self, filters, given):
        if self.version < 5:
            _, mid = self.mqtt.subscribe([(each, given["qos"]) for each in filters])
        else:
            options = SubscribeOptions(
                qos=given["qos"],
                retainAsPublished=given.get("retainAsPublished", False),
                retainHandling=given.get("retainHandling", 0),
            )
            properties = Properties(PacketTypes.SUBSCRIBE)
            if "subscriptionIdentifier" in given:
                properties.SubscriptionIdentifier = given["subscriptionIdentifier"]
            _, mid = self.mqtt.subscribe([(each, options) for each in filters], properties=properties)
        self.wait(lambda: mid in self.granted or self.state == "ended")
        if mid not in self.granted:
            raise RuntimeError(self.problem)
        return [code if isinstance(code, int) else code.value for code in self.granted[mid]]

    def publish(self, messages, persists):
        infos = []
        for message in messages:
            properties = None
            if self.version == 5:
                properties = properties_of(PacketTypes.PUBLISH, message.get("properties", {}))
            infos.append(self.mqtt.publish(
                message["topic"], message["payload"], message.get("qos", 0), message.get("retain", False), properties))
        for info in infos:
            while not info.is_published():
                if self.state == "ended" and not persists:
                    raise RuntimeError(f"disconnected: {self.problem}")
                info.wait_for_publish(0.05)

    def close(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


def do(call):
    kind, name = call["do"], call["client"]
    if kind == "open":
        clients[name] = Client(name, call["options"])
        return clients[name].session_present
    if kind == "subscribe":
        return clients[name].subscribe(call["filters"], call["options"])
    if kind == "publish":
        return clients[name].publish(call["messages"], call["persists"])
    if kind == "close":
        client = clients.pop(name, None)
        return client and client.close()
    raise ValueError(kind)


def answer(call):
    try:
        write({"call": call["call"], "result": do(call)})
    except Exception as error:
        write({"call": call["call"], "error": repr(error)})


for line in sys.stdin:
    threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
