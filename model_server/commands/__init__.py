"""The commands that the model server adds to `riverrun`."""
