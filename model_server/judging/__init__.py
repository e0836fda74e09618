"""What is asked, what counts as right, and how much that is: known to whoever trains or evaluates, knows no model."""
