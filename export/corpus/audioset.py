"""AudioSet's classes, as YAMNet numbers them (yamnet_class_map.csv of github.com/tensorflow/models)."""

CLASSES = 521

MUSIC_CLASS, SPEECH_CLASS = 132, 0
