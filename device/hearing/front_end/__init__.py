"""From blocks of samples to log-mel frames, each computed once."""
