"""`oido benchmark`: what the models installed here cost on this machine.

survey.py      measures every model that is wanted, and makes one report
results.py     the report, as dataclasses: the JSON and the table are both made of them
document.py    dataclasses <-> JSON
table.py       a report for people
difference.py  a report against an earlier one
machine.py     the processor, its governor, temperature and throttling; the versions of everything
children.py    starts the processes that measure, one at a time, and hears what they say
job.py         what such a process is told, and what it answers
probe.py       such a process; everything from here on down happens in one
tape.py        the sound: the bundled recordings, played as a microphone would give them
stages.py      the pipeline's own parts, each with a stopwatch on it
subjects.py    what there is to measure: a model in that pipeline; YAMNet
measure.py     one of these on a tape: load, first decision, memory, stages, live
costs.py       from single answers to spreads and ratios

Each model runs in a process of its own, so that memory does not add up and the first decision is a real start.
What starts them (`oido benchmark`) imports neither numpy nor a runtime.
"""
