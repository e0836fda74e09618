"""One model version beside another: warmed up, swapped in between two batches, watched, and taken back."""
