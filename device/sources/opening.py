"""From a `[[source]]` section of the configuration to the source it describes."""

from device.configuration.settings import SourceConfig
from device.errors import ConfigurationError
from device.sources.base import Source

# Each kind is imported where it is asked for: a microphone needs neither decoders nor ffmpeg.
# ruff: noqa: PLC0415


def open_source(config: SourceConfig) -> Source:
    """Make the source that a `[[source]]` section describes; asking for its blocks will open it.

    Raises:
        ConfigurationError: the section lacks the key that its kind needs.
    """
    match config.kind:
        case "microphone":
            from device.sources.microphone import Microphone

            return Microphone(config.device, name=config.name, stall_s=config.stall_s)
        case "file":
            from device.sources.recording import Recording

            return Recording(_needed(config, "path", config.path), name=config.name)
        case "stdin":
            from device.sources.pipe import StandardInput

            return StandardInput(
                name=config.name,
                sample_rate_hz=config.sample_rate_hz,
                channels=config.channels,
                stall_s=config.stall_s,
            )
        case "stream":
            from device.sources.pipe import FfmpegStream

            url = _needed(config, "url", config.url)
            return FfmpegStream(url, name=config.name, stall_s=config.stall_s)


def _needed(config: SourceConfig, key: str, value: str | None) -> str:
    """The value of a key that this kind cannot do without."""
    if not value:
        raise ConfigurationError(f"[[source]] {config.name!r} has kind = {config.kind!r} and needs {key!r}")
    return value
