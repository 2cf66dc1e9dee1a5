# SPDX-License-Identifier: Apache-2.0
"""The benchmark: what is started, loaded, measured and reported."""
