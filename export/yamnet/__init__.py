"""YAMNet: as published, as an extractor of embeddings, and with our own head in int8."""
