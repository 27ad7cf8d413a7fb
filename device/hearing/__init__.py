"""What the sound is: from samples to a decision.

health.py      level, clipping, flat line: can this device hear at all?
features.py    the log-mel front end, each frame computed once
statistics.py  what `logistic` reads of a window: cepstra, shape, and
movement.py    flux, modulation, rhythm
tones.py       held peaks, chroma
numerics.py    the small sums of those three
sidecar.py     NAME.json, read strictly
runtimes.py    onnxruntime, TFLite: each imported only when chosen
models.py      sidecar + checksum + runtime -> Model
classifier.py  patches -> scores, whatever the block size
decision.py    scores -> state, segments and paired events; pure
rules.py       settings + a model's thresholds -> the decision's rules
"""
