"""What `logistic` reads of a window of frames, and how embeddings are pooled."""
