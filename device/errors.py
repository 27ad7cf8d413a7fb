"""What can go wrong, as a tree. Every message is one sentence for the person at the terminal.

OidoError                 the work failed                          exit code 1
├── UsageError            wrong use                                exit code 2
│   └── ConfigurationError    the configuration is wrong
├── SourceError           no sound can be had from here (no such file, no such device)
│   └── SourceLost        sound was heard and then stopped; worth trying again
├── ModelError            a model cannot be used (damaged, made for something else)
│   └── UnknownModelError     no model has that name                   exit code 2
└── PublishError          the broker cannot be used (refused, unreachable)
"""


class OidoError(Exception):
    """Base of everything this program reports in one sentence instead of a traceback."""

    exit_code = 1


class UsageError(OidoError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A configuration file or override is wrong; the message names the key, the value and what is allowed."""


class SourceError(OidoError):
    """A source of sound cannot be opened or read."""


class SourceLost(SourceError):  # noqa: N818 - "lost" is what happened, and what the daemon reacts to
    """A source that worked has stopped giving sound; opening it again later may help."""


class ModelError(OidoError):
    """A model file or its sidecar cannot be used."""


class UnknownModelError(ModelError):
    """The configuration or the command line names a model that is not installed."""

    exit_code = 2


class PublishError(OidoError):
    """The MQTT broker cannot be reached or refuses the session."""
