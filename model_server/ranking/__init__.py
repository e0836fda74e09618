"""The second stage: candidates from every source, put in order by a learned ranker."""
