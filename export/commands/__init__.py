"""One module a command of `oido-export`."""
