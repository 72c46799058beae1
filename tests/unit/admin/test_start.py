"""What the console costs a process that nobody opens it in."""

import subprocess
import sys


def test_a_start_loads_none_of_the_consoles_libraries() -> None:
    modules = (
        "operations.application",
        "operations.admin",
        "operations.console.first_operator",
        "cli.operators",
    )
    loaded = "{name.partition('.')[0] for name in sys.modules} & {'argon2', 'jinja2', 'pyotp', 'webauthn'}"
    script = f"import sys, {', '.join(f'fastpay.{name}' for name in modules)}\nprint({loaded})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
