"""From trained estimators to files that the device runs, each beside the sidecar that vouches for it.

| module | what it does |
|---|---|
| `onnx` | scikit-learn and XGBoost to ONNX |
| `tflite` | Keras to int8 TFLite |
| `exact`, `rounding` | int8 weights that give the same in every runtime, and how they are rounded |
| `tflite_parity` | compares int8 with float, and one runtime with another |
| `other_python`, `tflite_probe` | runs a file in another Python, and the program that runs there |
| `sidecar` | writes NAME.json |
"""
