"""What a broker's reason codes mean, as sentences for the person at the terminal. Pure.

MQTT 3.1.1 has five reasons to refuse a session (table 3.1) and none to end one. MQTT 5 has dozens, for sessions,
their end and single messages (section 2.4). The names of reasons are those of paho 2; a broker is written as in
`the MQTT broker at 127.0.0.1:1883`.
"""

from device.configuration.settings import MqttProtocol
from device.errors import PublishError

_WRONG_LOGIN = ("Bad user name or password", "Not authorized")

_LASTING = {
    "Client identifier not valid": "refuses the client id; set another [mqtt] client_id",
    "Banned": "has banned this device; its administrator must lift the ban",
    "Bad authentication method": "demands another login than user name and password",
    "Topic name invalid": "does not allow this device's status topic; check [mqtt] base_topic and its access list",
    "Retain not supported": "retains no messages, without which nobody could tell whether this device is there",
    "QoS not supported": "does not acknowledge messages (QoS 1), without which events could be lost",
    "Use another server": "refers this device to another broker; set [mqtt] host to that one",
    "Server moved": "has moved; set [mqtt] host to where it is now",
    "Packet too large": "does not accept messages as large as this device's; raise its limit",
}
"""Refusals that remain when the device tries again soon."""

_ENDINGS = {
    "Server shutting down": "is shutting down",
    "Keep alive timeout": "heard nothing from this device for too long",
    "Not authorized": "no longer accepts this device",
    "Administrative action": "was told to end this device's connection",
    "Packet too large": "says that a message of this device is too large",
    "Quota exceeded": "says that this device has used all it may use",
    "Message rate too high": "says that this device sends too many messages",
    "Maximum connect time": "limits how long a connection may last",
    "Retain not supported": "retains no messages, without which nobody could tell whether this device is there",
    "QoS not supported": "does not acknowledge messages (QoS 1), without which events could be lost",
}


class Refused(PublishError):  # noqa: N818 - "refused" is what happened, like SourceLost
    """The broker answered and refuses this device; trying again soon is pointless."""


class TakenOver(PublishError):  # noqa: N818 - the same
    """Another device has taken the session over; trying again soon would only end that one's session."""


class Mute(PublishError):  # noqa: N818 - the same
    """The broker holds the connection but no longer answers."""


def of_session(name: str, *, broker: str, username: str | None, protocol: MqttProtocol) -> PublishError:
    """Why the broker does not begin a session; user name and protocol are those of this device."""
    if name in _WRONG_LOGIN and username is None:
        return Refused(f"{broker} wants a user name; set [mqtt] username and password_file")
    if name in _WRONG_LOGIN:
        return Refused(f"{broker} refuses the user {username!r}; check [mqtt] username and password_file")
    if name == "Unsupported protocol version":
        other = "3.1.1" if protocol == "5" else "5"
        return Refused(f'{broker} does not speak MQTT {protocol}; set [mqtt] protocol = "{other}"')
    if name in _LASTING:
        return Refused(f"{broker} {_LASTING[name]}")
    return PublishError(f"{broker} accepts no connection now: {name.lower()}")


def of_ending(name: str, *, broker: str, client_id: str) -> PublishError:
    """Why the broker ended a session; MQTT 5 only."""
    if name == "Session taken over":
        return taken_over(broker=broker, client_id=client_id, certain=True)
    return PublishError(f"{broker} {_ENDINGS.get(name, f'ended the connection ({name.lower()})')}; trying again")


def taken_over(*, broker: str, client_id: str, certain: bool) -> TakenOver:
    """Another device uses the same client id: `certain` if the broker said so."""
    what = "another device has taken" if certain else "another device seems to take"
    return TakenOver(
        f"{what} over the session with {broker}, with the same client id {client_id!r}; "
        "give each device its own [node] name or [mqtt] client_id"
    )


def of_alert(alert: str, *, broker: str, has_certificate: bool) -> PublishError:
    """Why TLS failed; `alert` is OpenSSL's name of the reason."""
    about_certificate = any(word in alert for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE"))
    if "ALERT" in alert and about_certificate and has_certificate:
        return Refused(f"{broker} does not accept this device's certificate ({alert}); check [mqtt] cert_file")
    if "ALERT" in alert and about_certificate:
        return Refused(f"{broker} wants a certificate of this device; set [mqtt] cert_file and key_file")
    return PublishError(f"{broker} does not speak TLS ({alert}); check [mqtt] port and tls")
