"""Extractors of embeddings: a sound becomes one vector for each patch of 0.96 s, for the same classifiers.

| module | what it gives | weights |
|---|---|---|
| `base` | `Extractor`, the protocol of all of them; how a sound is cut into patches | |
| `weights` | where published weights are to be had, and whether a file is what was published | |
| `layered_h5` | weights files that old Keras wrote | |
| `yamnet` | 1024 values, YAMNet behind our exact front end | Google's, Apache-2.0 |
| `yamnet_weights`, `yamnet_network` | from Google's file to a Keras network | |
| `yamnet_int8` | the same, scaled so that int8 does not ruin it | |
| `vggish` | 128 values, VGGish behind our exact front end | Google's, Apache-2.0 |
| `openl3`, `openl3_spectrogram` | 512 values, OpenL3 (music, 256 mel bands) | CC BY 4.0 |
| `windows` | stretches of the corpus to measure on | |
| `levels` | how well YAMNet hears at each level, as published and behind our front end | |
| `quantisation` | what int8 takes from YAMNet | |

Weights are the user's to fetch: none of them is ever part of this repository.
"""
