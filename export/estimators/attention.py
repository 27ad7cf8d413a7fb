"""The attention network over a segment: ten embeddings become one score.

Layer for layer the network of the original report.
"""

from typing import Any

from export.estimators.embedder import EMBEDDING
from export.evaluation.hearing import SEGMENT_PATCHES

LEARNING_RATE = 1e-4
_L2 = 0.01


def build(*, batch_size: int | None = None, embedding: int = EMBEDDING) -> Any:
    """The network, compiled: (10, embedding) to one probability of music; conversion needs a batch size of 1."""
    import keras  # noqa: PLC0415 - seconds to import, and only those who train have it

    layers, l2 = keras.layers, keras.regularizers.L2(_L2)
    segment = keras.Input((SEGMENT_PATCHES, embedding), batch_size=batch_size, name="segment")
    x = layers.MultiHeadAttention(num_heads=2, key_dim=64, dropout=0.2, name="attention")(segment, segment)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv1D(64, 3, activation="relu", padding="same", kernel_regularizer=l2, name="conv1")(x)
    x = layers.MaxPooling1D(2, name="halved")(x)
    x = layers.Dropout(0.4, name="dropout1")(x)
    x = layers.Conv1D(128, 3, activation="relu", padding="same", kernel_regularizer=l2, name="conv2")(x)
    x = layers.GlobalAveragePooling1D(name="pooled")(x)
    x = layers.Dense(64, activation="relu", kernel_regularizer=l2, name="dense")(x)
    x = layers.Dropout(0.6, name="dropout2")(x)
    music = layers.Dense(1, activation="sigmoid", name="music")(x)
    model = keras.Model(segment, music, name="attention")
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss="binary_crossentropy",
        metrics=[
            "accuracy",
            keras.metrics.AUC(curve="PR", name="pr_auc"),
            keras.metrics.Precision(name="precision"),
            keras.metrics.Recall(name="recall"),
        ],
    )
    return model
