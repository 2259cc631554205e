# bash completion for logtailerctl
_logtailerctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word command=
    local commands="status lag position consumers replicas segments config latency fence unfence repoint preflight drain wait-gtid diff purge reload log stop outcome user help"
    local -i i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --socket | --dir | --timeout | --interval | --max-seconds | --max-bytes) i+=1 ;;
        -*) ;;
        *) command=$word && break ;;
        esac
    done
    case $prev in
    --socket)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --timeout | --interval | --max-seconds | --max-bytes | --epoch) return ;;
    --mode)
        mapfile -t COMPREPLY < <(compgen -W "auto drop hold" -- "$cur")
        return
        ;;
    esac
    local options="--socket --dir --json --timeout --help"
    case $command in
    "") options+=" --version $commands" ;;
    status) options+=" --watch --interval" ;;
    lag) options+=" --watch --interval --max-seconds --max-bytes" ;;
    fence) options+=" --epoch --mode" ;;
    unfence) options+=" --epoch" ;;
    repoint) options+=" --epoch --new-history --dry-run" ;;
    drain) options+=" --force" ;;
    purge) options+=" --dry-run" ;;
    user) options+=" --generate --replica" ;;
    log) options+=" error warn notice info debug" ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}
complete -F _logtailerctl logtailerctl
