"""What the sound is.

health.py      level, clipping, flat line: can this device hear at all?
features.py    the log-mel front end, each frame computed once
statistics.py  cepstral, modulation and tonality statistics of a window: what `logistic` reads
models.py      sidecar + checksum + runtime -> Model
classifier.py  blocks -> scores, whatever the block size
decision.py    scores -> state, segments and paired events; pure
"""
