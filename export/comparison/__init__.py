"""Seven estimators on several extractors' embeddings, side by side: the parts of `oido-export compare`.

| module | what it is |
|---|---|
| `feature` | the extractors by name, small enough to be sent to another process |
| `selection` | the takes to learn from, to tune on and to be judged on |
| `fits` | fitted estimators, kept as model files |
| `costs` | time, memory and size of a row, measured in a new process |
| `rows` | a row of the table, and what it was computed from |
| `running` | from segments to rows |
| `paired` | is one row better than another on the same packages? |
| `learning` | how much better a row gets with more training packages |
| `listing` | the table as Markdown and as CSV |
| `figures`, `panels` | the rows in pictures: the best of them, and every one |
| `tracking` | rows kept in MLflow, and read back |
| `install` | rows as models of the device |
"""
