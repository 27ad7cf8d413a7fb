"""A model by its name: checked, opened, ready to run.

sidecar.py          NAME.json, the description beside the file
inputs.py           what each kind of model reads, as its description states it
runtimes.py         onnxruntime and TFLite, each imported only when it is chosen
loading.py          name -> one of the four kinds of loaded model
missing_runtime.py  what to install where a runtime is missing
quiet_stderr.py     keeps TFLite's chatter off standard error
"""
