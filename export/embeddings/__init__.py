"""Extractors of embeddings: a sound becomes one vector for each patch of 0.96 s, for the same classifiers.

| module | what it gives | weights |
|---|---|---|
| `base`, `feature` | `Extractor`, and `Feature`, its description before it is opened | |
| `cepstral` | the sixty statistics of `logistic` | none |
| `ours` | the embedder in the device's runtime | ours |
| `vggish` | 128 values, VGGish behind our exact front end | Google's, Apache-2.0 |
| `openl3`, `openl3_spectrogram` | 512 values, OpenL3 (music, 256 mel bands) | CC BY 4.0 |
| `weights` | published files: where to get them, checksums, how Keras once laid them out | |
| `segments`, `store` | ten patches in a row; those of the whole corpus, kept in files | |
| `windows` | single patches of the corpus, to measure on | |

YAMNet has a room of its own, `export.yamnet`. Published weights are the user's to fetch: none is ever part of this
repository.
"""
