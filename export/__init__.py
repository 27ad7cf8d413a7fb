"""The workstation: builds the corpus, trains, compares, converts. Imports `device`, never the reverse."""
