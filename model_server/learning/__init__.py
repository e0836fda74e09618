"""`riverrun learn`: collects events, trains a challenger on them, judges it on what comes next, and decides."""
