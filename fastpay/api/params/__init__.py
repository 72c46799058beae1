"""What requests may say: one frozen struct for each, unset where nothing was said."""
