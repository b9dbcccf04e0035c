"""Runs another script on uvloop's loop."""

import runpy
import sys

import uvloop

uvloop.install()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
