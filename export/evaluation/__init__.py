"""How good a model is: any kind of model, the same sections of sound, the device's own code.

| module | what it is |
|---|---|
| `metrics` | figures of a classifier with 95 % intervals over packages; log odds and log loss |
| `calibration` | raw scores -> probabilities, and thresholds for each mode |
| `takes` | the sound of a split: as recorded, at other levels, in rooms, mixed |
| `hearing` | a section of sound -> probabilities of answers and segments, as a device gives them |
| `scoring` | takes x models -> what each model says of each take, kept once computed |
| `questions` | takes x models -> one question for each row of the table, each model at its own threshold |
| `results` | their answers, as Markdown and for a sidecar |
| `plots` | the same as pictures, and what pictures are made of |
| `replay` | sound through the whole pipeline -> what a device reports, and when |
| `delays` | how late starts and stops are noticed, and false starts |
"""
