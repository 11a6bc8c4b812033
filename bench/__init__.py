"""The benchmark: this project's function against the documented way, on the same work, in one run."""
