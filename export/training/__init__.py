"""Training: one module a model, each with `run`, which `oido-export train` calls.

| module | what it does |
|---|---|
| `logistic` | from the corpus's features to the model |
| `embedder` | from scenes to the trunks of the embedder |
| `attention` | from the embedder's output to the network over a segment |
| `scenes`, `shards`, `data` | 9.6 s of somewhere with labels; many of them on disk; made or read for a command |
| `teacher` | YAMNet's scores of a scene |
| `batches` | patches of scenes at random, for a step of training |
| `course` | how long and how fast; what is saved to go on |
"""
