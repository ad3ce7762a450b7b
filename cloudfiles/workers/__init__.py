"""Worker processes of our own, for `parallel=`: started once a process, kept for as long as it lives."""
