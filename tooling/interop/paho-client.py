"""Subscribes, publishes a message at a QoS and waits for it: paho-client.py PORT TRANSPORT VERSION QOS"""
import sys
import paho.mqtt.client as mqtt

port, transport, version, qos = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
received = []

def on_connect(client, *_):
    client.subscribe("paho/#", qos)

def on_subscribe(client, *_):
    client.publish("paho/topic", "hello", qos)

def on_message(client, _, message):
    received.append((message.topic, message.payload, message.qos))
    client.disconnect()

client = mqtt.Client(client_id="paho", protocol=version, transport=transport)
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", port)
client.loop_forever()
assert received == [("paho/topic", b"hello", qos)], received
