"""How messages reach a broker or standard output.

Importing the package imports nothing else; only `mqtt` and `session` need paho-mqtt.

    payloads            what the payloads say: dataclasses (pure)
    schemas/            JSON Schemas of every payload: the published contract
    message             the payloads as topics and JSON (pure)
    command             what a `set` payload asks for (pure)
    reporter            what the pipeline observes of one source, as messages (pure)
    discovery           what Home Assistant needs to know (pure)
    ledger              which topics this device has filled at the broker, in memory
    forgetting          finds and clears what the broker retains, for `oido check`
    publisher           `Publisher`: how the daemon speaks
    stdout              `StdoutPublisher`: one JSON line per message
    mqtt                `MqttPublisher`: keeps a session with the broker
    session             one connection to the broker
    backlog             what is still to be sent, in which order, and what was acknowledged (pure)
    outbox              events that wait for the broker's acknowledgement, in memory
    retry               how long to wait before the next attempt
    refusal             what a broker's reason codes mean, as sentences (pure)
    client_id_conflict  whether another device uses the same client id
    credentials         password, certificates and trusted authorities, read from files
    trial               whether the broker does what the daemon needs, for `oido check`
"""
