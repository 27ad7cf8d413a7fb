"""`oido benchmark`: what the models installed here cost on this machine.

survey.py       every model that is wanted, made into one report
report.py       what was measured, as dataclasses: the JSON and the table are both made of them
document.py     dataclasses <-> JSON
table.py        a report for people
comparison.py   a report against an earlier one
machine.py      the processor, its governor, temperature and throttling; the versions of everything
children.py     starts the processes that measure, one at a time, and hears what they say
job.py          what such a process is told, and what it answers
probe.py        such a process; everything from here on down happens in one
preparation.py  which models are here, and the sound for them
tape.py         that sound: the bundled recordings, played as a microphone would give them
stages.py       the pipeline's own parts, each with a stopwatch on it
subjects.py     a model in that pipeline; YAMNet
measure.py      one of these on a tape: load, first decision, memory, stages, live
costs.py        from single answers to spreads and ratios
memory.py       what the kernel says of a process's memory

Each model runs in a process of its own, so that memory does not add up and the first decision is a real start.
What starts them (`oido benchmark`) imports neither numpy nor a runtime.
"""
