"""Run `python -m fastpay` as `fastpay`."""

from fastpay.cli import main

if __name__ == "__main__":
    main()
