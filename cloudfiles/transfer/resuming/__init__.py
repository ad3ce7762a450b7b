"""What is kept on disk of a run, so that the next one goes on where it was killed and clears up after it."""
