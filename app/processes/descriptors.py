"""How many files and connections a process may have open."""

import resource


def raise_descriptor_limit() -> int:
    """Allow this process as many as the system lets it have; gives their number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
