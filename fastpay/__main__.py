"""Let `python -m fastpay` be the same as `fastpay`."""

from fastpay.cli import main

if __name__ == "__main__":
    main()
