"""What learns from the features. One module an estimator."""
