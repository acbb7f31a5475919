#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The completion of bash, zsh and fish, each in its own shell: what it offers for a line. Prints what is wrong, and nothing
# if nothing is.
#
#   completion.sh TOOL

set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

tool=$(realpath "${1:?which flowtrack?}")
here=$TOP/tools/flowtrack/completions
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$tool" "$work/flowtrack"
export PATH=$work:$PATH HOME=$work
touch "$work/file-1" "$work/file-2"
cd "$work"

# Words of a line, the last one being written (a dot: empty), and what is to be offered, in order.
LINES_AND_OFFERS='
flu|flush
list cl|class
list class e|embryonic
list tcp state estab|established
set full_policy e|evict
stats --cp|--cpu
list src .|
restore file|file-1 file-2
'

# shellcheck disable=SC2016 # for the inner shells
in_bash() {
	bash --norc --noprofile -c '
		. "$1/flowtrack.bash"
		shift
		COMP_WORDS=(flowtrack "$@") COMP_CWORD=$#
		_flowtrack
		printf "%s\n" "${COMPREPLY[@]}"' bash "$here" "$@"
}

# shellcheck disable=SC2016
in_fish() {
	fish --no-config -c 'source $argv[1]/flowtrack.fish; complete -C "$argv[2..-1]"' "$here" flowtrack "$@" | cut -f1
}

# zsh completes in its line editor only: the functions that it would be offered by are replaced.
# shellcheck disable=SC2016
in_zsh() {
	zsh -f -c '
		here=$1; shift
		words=(flowtrack "$@") CURRENT=$(($# + 1))
		compadd() { shift; print -l -- "${(@P)1}" }
		_files() { print -l -- ${words[CURRENT]}*(N) }
		. $here/_flowtrack' zsh "$here" "$@"
}

for shell in bash fish zsh; do
	while IFS='|' read -r line offers; do
		[ -n "$line" ] || continue
		read -ra words <<<"$line"
		[ "${words[-1]}" != . ] || words[-1]=
		got=$("in_$shell" "${words[@]}" | sort | xargs) || got="exit status $?"
		[ "$got" = "$offers" ] || echo "$shell: '$line' has '$got', not '$offers'"
	done <<<"$LINES_AND_OFFERS"
done
