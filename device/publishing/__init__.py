"""Who is told: what the device hears becomes messages, and the messages reach a broker or standard output.

A map of the package; importing it imports nothing else, and paho-mqtt only comes in with `mqtt`.

    payloads       what can be said: dataclasses (pure)
    message       how it stands in topics and JSON (pure)
    command       what a `set` payload asks for (pure)
    schemas/      JSON Schemas of every payload: the published contract
    outbox        events waiting for the broker's acknowledgement
    pairs         event messages read back: the stop of a start that never had one (pure)
    backlog       what is still to be said, in which order, and what was acknowledged (pure)
    publisher     `Publisher`, the seam that the daemon speaks through
    stdout        `StdoutPublisher`: one JSON line a message
    mqtt          `MqttPublisher`: keeps a session with the broker, whatever happens to it
    session       one connection to the broker
    trial         whether the broker does what the daemon needs, for `oido check`
    refusal       what a broker's codes mean, as sentences (pure)
    client_id_conflict  whether another device uses the same client id
    discovery     what Home Assistant needs to know (pure); `forgetting` takes it back
    credentials   the password, the certificates and the trusted authorities, read from files
    retry         how long to wait before the next attempt
    reporter      what the pipeline observes of one source, as messages (pure)
"""
