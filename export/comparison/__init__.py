"""Seven estimators on several extractors' embeddings, side by side: what `oido-export compare` is made of.

| module | what it does |
|---|---|
| `feature` | the extractors by name, small enough to be sent to another process |
| `heard` | the takes to learn from, to tune on and to be judged on |
| `segments` | a section's embeddings become segments of ten patches |
| `store` | every take's segments, computed once by several processes and kept |
| `fits` | estimators that have learnt, as the files they were converted to, kept |
| `costs` | time, memory and size of a row, in a process of its own |
| `rows` | one row of the table, and everything that is known of it |
| `running` | from segments to rows |
| `paired` | whether one row is better than another on the same packages |
| `learning` | how much better it gets with more training packages |
| `tables`, `figures`, `panels` | for people |
"""
