"""Compile every module of fastpay/_native; all other packaging facts are in pyproject.toml."""

from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

NATIVE = Path("fastpay/_native")

extensions = [
    Extension(
        f"fastpay._native.{source.stem}",
        [str(source)],
        extra_compile_args=["-O3", "-fno-plt", "-Wno-unreachable-code"],
    )
    for source in sorted(NATIVE.glob("*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython",
        compiler_directives={
            "language_level": "3",
            "binding": False,
            "embedsignature": True,
        },
    )
)
