"""The open training corpus: free Debian packages, labelled music or no music.

| module | what it knows |
|---|---|
| `recipe` | which packages, how their files are labelled, which split each belongs to |
| `packages` | fetching and unpacking a package; nothing is installed |
| `audio` | decoding, trimming, cropping |
| `writing` | the files of a package -> FLAC files and rows of the manifest |
| `integrity` | whole files or none; checksums |
| `build` | recipe -> audio files, manifest.csv, checksums.sha256; resumable |
| `streams` | `Corpus`, `Stream`, `Clip` |
| `naming` | a name for each stream, by which files are called |
| `dataset` | a built corpus -> `Corpus`; `find_corpus` |
| `userdata` | a user's own folders or CSV -> the same `Corpus` |
| `cli` | `oido-export corpus build`, `info`, `verify` |
"""
