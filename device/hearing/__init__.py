"""What the sound is: from samples to a decision.

health.py      level, clipping, flat line: can this device hear at all?
features.py    what the log-mel front end computes, by definition
front_end.py   blocks -> frames, each computed once
transforms.py  windows -> spectra, with numpy
compiled.py    the same through spectra.c, where it was compiled
statistics.py  what `logistic` reads of a window: cepstra, shape, and
movement.py    flux, modulation, rhythm
tones.py       held peaks, chroma
numerics.py    the small sums of those three
sidecar.py     NAME.json, read strictly
inputs.py      what of it depends on the kind of model
hush.py        keeps a runtime's small talk off standard error
runtimes.py    onnxruntime, TFLite: each imported only when chosen
models.py      sidecar + checksum + runtime -> Model
patch_cutter.py  blocks -> pieces, whatever the block size
hearings.py    pieces -> probabilities, as each kind of model hears
classifier.py  pieces -> scores, each with the stretch that it speaks for
decision.py    scores -> state, segments and paired events; pure
rules.py       settings + a model's thresholds -> the decision's rules
"""
