"""What the pages show works when it is typed in: every block of every page is run."""
