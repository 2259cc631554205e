# bash completion for binlogtail
_binlogtail()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local words="--from --until --until-end --name --resume-file --json --raw --out --database --table --heartbeats --statements --utc --no-progress --quiet
        --token-file --token-in-clear --tls --ca --cert --key --tls-name --tls-no-verify --retry --no-retry --max-event --no-checksum --version --help"
    COMPREPLY=()
    case $prev in
    --from)
        mapfile -t COMPREPLY < <(compgen -W "earliest latest" -- "$cur")
        return
        ;;
    --out)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --token-file | --resume-file | --ca | --cert | --key)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --name | --until | --database | --table | --tls-name | --max-event)
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$cur")
    fi
}
complete -o filenames -F _binlogtail binlogtail
