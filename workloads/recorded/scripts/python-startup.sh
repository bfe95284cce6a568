#!/bin/sh
. "$(dirname "$0")/common.sh"
program='import argparse, asyncio, json, logging, unittest'
/usr/bin/python3 -c "$program"
record python-startup "PSF-2.0 (Python 3.11 of Debian)" "a Python program starts up" /usr/bin/python3 -c "$program"
