"""A message of MQTT, taken apart: with paho's own eyes and with ours."""

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTProtocolVersion

from telegraf_p1.sources.mqtt import _UNREADABLE, _Client

Seen = tuple[bytes, bytes, int, int, bool, bool, list[tuple[str, str]]]
_NUMBER = st.integers(1, 65_535).map(lambda number: number.to_bytes(2, "big"))
_TEXT = st.binary(max_size=300)
# The user property `time` (26 00 04 "time"), alone or with another one, its length right or not.
_DATED = st.tuples(
    st.text("0123456789.x", max_size=45), st.sampled_from([0, 0, 0, 1, -1]), st.sampled_from([b"", b"\1\1"])
).map(
    lambda drawn: (
        b"\x26\0\4time%b%b%b" % (max(0, len(drawn[0]) + drawn[1]).to_bytes(2, "big"), drawn[0].encode(), drawn[2])
    )
)
_COMMAND = st.sampled_from([MessageType.PUBLISH | flags for flags in (0, 1, 2, 3, 8, 9, 10, 11)])


def seen(message: mqtt.MQTTMessage) -> Seen:
    return (
        message._topic,  # noqa: SLF001  the property asks for UTF-8
        bytes(message.payload), message.mid, message.qos, bool(message.dup), bool(message.retain),
        getattr(message.properties, "UserProperty", []),
    )  # fmt: skip


def by_paho(command: int, packet: bytes) -> Seen | None:
    """Give what paho makes of a packet in MQTT 5, None when it raises."""
    client, found = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True), []
    client.on_message = lambda _client, _data, message: found.append(seen(message))
    client._in_packet |= {"command": command, "packet": bytearray(packet)}  # noqa: SLF001
    try:
        client._handle_publish()  # noqa: SLF001
    except Exception:  # noqa: BLE001  it depends on the version
        return None
    return found[0]


def by_ours(command: int, packet: bytes) -> Seen | None:
    client = _Client(None, "", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    client._in_packet |= {"command": command, "packet": bytearray(packet)}  # noqa: SLF001
    client._handle_publish()  # noqa: SLF001
    (message,) = client.take()
    return None if message.payload is _UNREADABLE else seen(message)


@given(_COMMAND, _TEXT, _NUMBER, _TEXT)
def test_a_message_without_properties_is_what_paho_makes_of_it(
    command: int, topic: bytes, number: bytes, payload: bytes
) -> None:
    packet = len(topic).to_bytes(2, "big") + topic + (number if command & 6 else b"") + b"\0" + payload
    expected = by_paho(command, packet)
    assert expected is not None
    assert by_ours(command, packet) == expected


@given(_COMMAND, _NUMBER, _DATED, _TEXT)
def test_a_message_that_says_when_it_was_sent_is_what_paho_makes_of_it(
    command: int, number: bytes, properties: bytes, payload: bytes
) -> None:
    packet = b"\0\1t" + (number if command & 6 else b"") + bytes([len(properties)]) + properties + payload
    assert by_ours(command, packet) == by_paho(command, packet)


@given(_COMMAND, st.binary(max_size=12) | _TEXT.map(lambda data: b"\0" + data))
def test_of_a_packet_of_any_bytes_ours_is_what_paho_makes(command: int, packet: bytes) -> None:
    assert by_ours(command, packet) == by_paho(command, packet)
