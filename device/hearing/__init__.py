"""What the sound is: from samples to a decision.

front_end/       blocks -> log-mel frames, each computed once
statistics/      frames -> the numbers that `logistic` reads, and the pooling of segments
models/          NAME.json, its file and a runtime -> a loaded model

health.py        level, clipping, flat line: can this device hear at all?
patch_cutter.py  blocks -> pieces of the sizes that a model wants
hearings.py      pieces -> probabilities, as each kind of model hears
classifier.py    pieces -> scores, each with the stretch that it speaks for
decision.py      scores -> state, segments and paired events; pure
rules.py         settings and a model's description -> the decision's rules
"""
