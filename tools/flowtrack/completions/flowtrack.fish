# SPDX-License-Identifier: GPL-2.0
# fish: what may stand next the tool knows itself.
function __flowtrack_offers
	set -l typed (commandline -opc)
	flowtrack complete $typed[2..-1] "$(commandline -ct)" 2>/dev/null | string match -v -- :files
end
complete -c flowtrack -f -a '(__flowtrack_offers)'
complete -c flowtrack -n '__fish_seen_subcommand_from restore' -F
