"""A real browser: pages of other origins, and the page on which a cardholder authenticates."""
