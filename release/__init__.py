"""What `make wheel` does: builds the files of a release, and checks them as an operator installs them."""
