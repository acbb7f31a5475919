# SPDX-License-Identifier: GPL-2.0
# bash: what may stand next the tool knows itself.
_flowtrack()
{
	local IFS=$'\n'

	mapfile -t COMPREPLY < <(flowtrack complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	[ "${COMPREPLY[*]}" != :files ] || mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -F _flowtrack flowtrack
