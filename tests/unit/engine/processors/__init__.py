"""Tests of fastpay/engine/processors/."""
