"""What fastpay is measured against: the same payments, taken by well-made services of the usual kind."""
