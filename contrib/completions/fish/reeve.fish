# fish completion for reeve(1)
complete -c reeve -f
complete -c reeve -n __fish_use_subcommand -a run -d 'Serve in the foreground'
complete -c reeve -n __fish_use_subcommand -a check -d 'Every error and warning of a configuration'
complete -c reeve -n __fish_use_subcommand -a explain -d 'Which route serves a request, and why'
complete -c reeve -n __fish_use_subcommand -a status -d 'Workers, listeners, connections, upstreams'
complete -c reeve -n __fish_use_subcommand -a reload -d 'Take the configuration anew'
complete -c reeve -n __fish_use_subcommand -a stop -d 'Finish what is in flight and end'
complete -c reeve -n __fish_use_subcommand -a reopen-logs -d 'Close and open the log files'
complete -c reeve -n __fish_use_subcommand -a version -d 'Which version this is'
complete -c reeve -n __fish_use_subcommand -a help -d 'What a command does'
complete -c reeve -n '__fish_seen_subcommand_from run check explain status reload stop reopen-logs' -s c -l config -r -F -d Configuration
complete -c reeve -n '__fish_seen_subcommand_from run status reload stop reopen-logs' -l control -r -F -d 'Control socket'
complete -c reeve -n '__fish_seen_subcommand_from check' -l print -d 'The effective configuration'
complete -c reeve -n '__fish_seen_subcommand_from check status version' -l json -d 'As JSON'
complete -c reeve -n '__fish_seen_subcommand_from status reload stop reopen-logs' -l timeout -x -d 'How long to wait'
complete -c reeve -n '__fish_seen_subcommand_from explain' -s H -l header -x -d Header
complete -c reeve -n '__fish_seen_subcommand_from explain' -l client -x -d 'Client address'
complete -c reeve -n '__fish_seen_subcommand_from explain' -a 'GET HEAD POST PUT PATCH DELETE OPTIONS'
complete -c reeve -n '__fish_seen_subcommand_from help' -a 'run check explain status reload stop reopen-logs version'
complete -c reeve -n '__fish_seen_subcommand_from help' -l reference -d 'Every key'
complete -c reeve -n '__fish_seen_subcommand_from help' -l messages -d 'Every log message'
complete -c reeve -n '__fish_seen_subcommand_from help' -l manual -x -a 'reeve reeve.yaml' -d 'A manual page'
complete -c reeve -s h -l help -d 'How it is used'
