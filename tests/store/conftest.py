# SPDX-License-Identifier: Apache-2.0
"""Puts the harness and the tests' support where imports find them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
