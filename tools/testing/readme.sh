#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The commands by which README installs on Debian, one a line, as they stand there.

set -euo pipefail
awk '/^## / { in_section = $0 == "## Install" } !in_section { next } /^    / { sub(/^    /, ""); print; found = 1; next } found { exit }' \
	"$(dirname "$0")/../../README.md"
