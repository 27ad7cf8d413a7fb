"""The commands of `oido`, one module each: `add_arguments(parser)` and `run(arguments) -> exit code`.

Beside the commands lies what they share:

options.py       options of several commands, and the configuration that they add up to
files.py         which recordings classify is to hear: files, folders, standard input
one_file.py      what classify says about one recording
side_by_side.py  several recordings at the same time, in processes of their own
output.py        where classify's results go: standard output, a folder, a picture
formats.py       the segments of a recording as other programs read them
rows.py          rows as JSON lines or CSV, for classify and history
terminal.py      how wide a terminal is, for watch and the progress bar
progress_bar.py  how far a long job is, for classify and benchmark
plot.py          the picture of classify --plot
timeline.py      what that picture shows, kept while it is heard
surroundings.py  clock and disk, for check
"""
