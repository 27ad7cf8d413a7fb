"""What a window of frames is like, in sixty numbers, and how segments are pooled.

statistics.py  the window, and its numbers in order; cepstra, shape and energy
movement.py    spectral flux, modulation of loudness, rhythm
tones.py       tones that are held, chroma
numerics.py    the sums that these have in common
pooling.py     what a segment model reads instead of the sequence: pooled, standardised
"""
