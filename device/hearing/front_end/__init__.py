"""From blocks of samples to log-mel frames, each computed once.

decimation.py  48 and 32 kHz -> 16 kHz through decimation.c, where it was compiled
features.py    what is computed, by definition: parameters, mel bands, frames
transforms.py  windows -> spectra with numpy, and which transform is the fastest here
compiled.py    the library of spectra.c and decimation.c; windows -> spectra through the first
stream.py      blocks -> frames of a stream
"""
