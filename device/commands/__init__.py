"""The commands of `oido`, one module each: `add_arguments(parser)` and `run(arguments) -> exit code`.

Beside the commands lies what they share:

options.py       options of several commands, and the configuration that they add up to
files.py         which recordings classify is to hear: files, folders, standard input
rows.py          rows as JSON lines or CSV, for classify and history
terminal.py      how wide a terminal is, for watch and the progress bar
progress_bar.py  how far a long job is, for classify and benchmark
plot.py          the picture of classify --plot
timeline.py      what that picture shows, kept while it is heard
surroundings.py  clock and disk, for check
"""
