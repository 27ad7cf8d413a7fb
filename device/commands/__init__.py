"""The commands of `oido`, one module each: `add_arguments(parser)` and `run(arguments) -> exit code`."""
