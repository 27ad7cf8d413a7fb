"""From blocks of samples to log-mel frames, each computed once.

features.py    what is computed, by definition: parameters, mel bands, frames
transforms.py  windows -> spectra with numpy, and which transform is the fastest here
compiled.py    windows -> spectra through spectra.c, where it was compiled
stream.py      blocks -> frames of a stream
"""
