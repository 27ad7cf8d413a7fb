"""One module a command of `oido-export`; each has `add_arguments` and `run`.

| module | what it does |
|---|---|
| `corpus` | builds, shows and verifies the training corpus |
| `train` | trains a model; how stands in `export.training` |
| `convert`, `convert_yamnet` | makes a trained network, or Google's YAMNet, a file for the device |
| `calibrate` | fits probabilities and thresholds |
| `evaluate`, `onsets` | measure models on a split, and how late they notice starts and stops |
| `compare`, `report` | compares estimators; writes the HTML page about them |
| `levels` | measures YAMNet at each level |
| `options` | options that several of them share |
"""
