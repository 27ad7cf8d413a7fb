"""oido on the device: hears whether there is music and says so over MQTT.

Importing this package is cheap on purpose: it pulls in neither numpy nor a runtime. The map, from low to high; no
import runs back up:

    errors.py       what can go wrong, as a tree
    sound.py        how sound is held: sample rate, array types, Block
    configuration/  what the device is told: settings, from TOML and the environment
    hearing/        what it is: front end, statistics, models, and on top classifier and decision
    sources/        where sound comes from
    pipeline.py     joins the stages; every command drives it
    publishing/     who is told: messages, and how they leave
    storage/        what outlives the process
    monitoring/     how the device is doing
    daemon/         `oido run`: listens, publishes and is supervised
    benchmark/      `oido benchmark`: what a model costs here
    commands/       one module a command
    demo.py         `oido demo`: the whole path with nothing to install
    command_line.py, cli.py, __main__.py   arguments and dispatch only
"""

__version__ = "0.1.0"
