"""Options that several commands share, and the configuration they add up to."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import get_args

from device.configuration.settings import DEFAULT_PATH, Config, Mode, SourceConfig, load
from device.errors import UsageError


def add_config(parser: argparse.ArgumentParser) -> None:
    """`-c`."""
    parser.add_argument(
        "-c", "--config", type=Path, help=f"configuration file (default: {DEFAULT_PATH}, if there)"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model` and `--mode`, which win over the configuration."""
    parser.add_argument("--model", metavar="NAME", help="model to use (`oido version` lists them)")
    parser.add_argument(
        "--mode",
        choices=get_args(Mode),
        help="balanced: best F1; precision: rarely wrong; recall: rarely misses music",
    )


def add_input(parser: argparse.ArgumentParser) -> None:
    """`--input` and `--pace`."""
    parser.add_argument(
        "--input", metavar="FILE", type=Path, help="listen to this recording instead of the configured sources"
    )
    parser.add_argument(
        "--pace",
        choices=["live", "fast"],
        default="fast",
        help="with --input: as it sounds, or as fast as possible (default: fast)",
    )


def configuration(arguments: argparse.Namespace) -> Config:
    """The configuration with the command line's options laid over it; sets the log level too."""
    config = load(arguments.config)
    logging.getLogger().setLevel(config.log.level.upper())
    model = config.model
    if arguments.model is not None:
        model = replace(model, name=arguments.model)
    if arguments.mode is not None:
        model = replace(model, mode=arguments.mode)
    config = replace(config, model=model)
    recording = getattr(arguments, "input", None)
    if recording is not None:
        source = SourceConfig(name="recording", kind="file", path=str(recording))
        config = replace(config, source=(source,))
    elif getattr(arguments, "pace", "fast") != "fast":
        raise UsageError("--pace goes with --input; microphones and streams set their own")
    return config
