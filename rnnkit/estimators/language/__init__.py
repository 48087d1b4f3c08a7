"""Language models: texts read as tokens, cut for training, scored exactly and written anew."""
