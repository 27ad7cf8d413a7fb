"""YAMNet: as published, as an extractor of embeddings, and with our own head in int8.

| module | what it is |
|---|---|
| `official` | Google's TFLite file as it is: windows of sound to 521 scores |
| `weights` | Google's weights, read out of that file or out of yamnet.h5 |
| `network` | the same layers as a Keras network over our log-mel patches |
| `int8` | the weights scaled so that int8 does not ruin them |
| `extractor` | the network as an extractor of embeddings |
| `head` | our own layer on the embedding, and how it is fitted |
| `making` | network and head as files for the device |
| `report` | int8 beside float: decisions, embeddings, time |
"""
