"""How good a model is at hearing: any kind of model, the same sections of sound, the device's own code.

| module | what it knows |
|---|---|
| `takes` | what is heard: the streams of a split, clean, at other levels, in rooms, mixed |
| `hearing` | a section of sound -> answers and segments, as a device with a model gives them |
| `scoring` | takes x models -> what was said of each, by several processes, kept once computed |
| `comparison` | models beside YAMNet, each at its own threshold |
| `tables` | figures, as Markdown and for a sidecar |
| `replay` | sound through the whole pipeline -> what a device tells, and when |
| `delays` | how late starts and stops are noticed; false starts |
"""
