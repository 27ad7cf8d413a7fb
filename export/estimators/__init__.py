"""What learns to tell music from no music. Nothing here writes a file.

| module | what it is |
|---|---|
| `base` | what every estimator of the comparison can do, and the model file that it becomes |
| `families` | packages that share material |
| `choosing` | hyperparameters are chosen by cross-validation over families |
| `linear`, `forest`, `boosted` | classifiers of pooled segments; `pooled` is one of them, fitted |
| `network` | how a network on sequences learns; `heads` are three of them |
| `catalogue` | all seven estimators of the comparison |
| `parity` | does a converted file give the same probabilities? |
| `logistic` | the smallest model, on statistics |
| `embedder`, `attention` | the two networks that come with the program, as Keras builds them |
| `deployment` | what the sidecars of these two say |
"""
