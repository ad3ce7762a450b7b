"""Worker processes for `parallel=`, started on first use and kept until the program ends."""
