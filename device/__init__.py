"""oido on the device: hears whether there is music and says so over MQTT.

Importing this package is cheap on purpose: it pulls in neither numpy nor a runtime. The map:

    sources/     where sound comes from
    hearing/     what it is
    publishing/  who is told
    pipeline.py  joins the three; every command drives it
"""

__version__ = "0.1.0"
