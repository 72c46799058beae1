"""Compile every module of fastpay/_native; all other packaging facts are in pyproject.toml."""

import logging
import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("fastpay/_native")
# Built only where libnghttp2 and its header are found. Without them h2 speaks HTTP/2.
NGHTTP2 = {"hpack", "http2_codec", "http2_control", "http2_streams"}

# The Makefile installs first what fastpay needs, and compiles then, once and on all processors.
LATER = "FASTPAY_COMPILE_LATER" in os.environ

extensions = [
    Extension(
        f"fastpay._native.{source.stem}",
        [str(source)],
        extra_compile_args=["-O3", "-fno-plt", "-Wno-unreachable-code"],
        libraries=["nghttp2"] if source.stem == "hpack" else [],
    )
    for source in sorted(() if LATER else NATIVE.glob("*.pyx"))
]


class BuildWithWhatIsThere(build_ext):
    """Leaves out what needs a library that this machine does not have."""

    def build_extensions(self):
        # The link finds libnghttp2.so, which comes with the header.
        if not self.compiler.has_function("nghttp2_version", libraries=["nghttp2"]):
            self.announce("libnghttp2 was not found: HTTP/2 is left to h2", level=logging.WARNING)
            self.extensions = [one for one in self.extensions if one.name.split(".")[-1] not in NGHTTP2]
        super().build_extensions()


setup(
    cmdclass={"build_ext": BuildWithWhatIsThere},
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython",
        compiler_directives={
            "language_level": "3",
            "binding": False,
            "embedsignature": True,
        },
    ),
)
