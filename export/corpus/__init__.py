"""Labelled sound, and what is made of it: music or no music.

| module | what it does |
|---|---|
| `recipe`, `recipe.json`, `splits.csv` | the Debian packages, the labels of their files, their splits |
| `packages`, `audio`, `writing`, `build` | fetch packages, decode their files, write FLAC and manifest |
| `integrity` | checksums, and the lock that keeps two builds apart |
| `streams`, `naming` | `Corpus`, `Stream`, `Clip`, and a unique name for each stream |
| `dataset`, `userdata` | finds and reads a built corpus, or a user's own recordings |
| `excerpts`, `joins`, `mixtures`, `pools` | pieces of streams, starts and stops, speech over others, training |
| `synthetic`, `speech` | sounds that are made here: noise and tones, espeak's voices |
| `augment`, `codecs` | what a room, a microphone, a level or a codec does to a sound |
| `features` | the device's statistics of every stream, in variants |
| `audioset` | the classes that YAMNet knows |
"""
