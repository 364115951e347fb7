"""MQTT 3.1.1 and 5: plain numbers, JSON with a path, Sparkplug B."""

from holdfast.gate.connectors.mqtt.connector import Mqtt

__all__ = ["Mqtt"]
