# The completion of keyward-bus for bash 3.2 and later, made by `make generate`.

# Sets words to what can follow a command: its commands or the choices of its argument, and
# its flags. --flag= takes a value, --flag=FILE a file, --flag=DIR a folder, --flag=a|b one of these.
_keyward-bus_words() {
    case $1 in
    "keyward-bus")
        words="
            --listen= --cert=FILE --key=FILE --key-password-file=FILE
            --client-ca=FILE --crl= --trust-domain= --max-connections=
            --max-per-account= --jetstream=DIR --metrics-listen= --store=
            --data-dir=DIR --log-format= --log-level= --json --help -h" ;;
    *) return 1 ;;
    esac
}

_keyward-bus() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} name=${1##*/}
    local path=keyward-bus at=0 glued='' offer='' words word i IFS=$' \t\n'
    COMPREPLY=()
    _keyward-bus_words "$path" || return
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word == -- ]] && return
        _keyward-bus_words "$path $word" && path+=" $word" at=$i
    done

    # bash takes --flag=value for three words.
    if [[ $cur == = ]]; then
        cur='' glued=yes
    elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
        prev=${COMP_WORDS[COMP_CWORD-2]} glued=yes
    fi
    if [[ $prev == -* ]]; then
        prev=${prev#-} prev=${prev#-}
        for word in $words; do
            case $word in
            "-$prev="* | "--$prev="*) _keyward-bus_value "${word#*=}"; return ;;
            esac
        done
    fi
    [[ $glued ]] && return

    # Commands and choices stand right behind the command, flags anywhere.
    for word in $words; do
        case $word in
        -*) [[ $cur == -* ]] && offer+=" ${word%%=*}" ;;
        *) ((at == COMP_CWORD - 1)) && offer+=" $word" ;;
        esac
    done
    if [[ ! $cur && ! $offer ]]; then
        for word in $words; do [[ $word == -* ]] && offer+=" ${word%%=*}"; done
    fi
    COMPREPLY=($(compgen -W "$offer" -- "$cur"))
    # Long flags may have one dash.
    if [[ ${#COMPREPLY[@]} == 0 && $cur == -[!-]* ]]; then
        COMPREPLY=($(compgen -W "$offer" -- "-$cur"))
        COMPREPLY=("${COMPREPLY[@]#-}")
    fi
}

# Completes a flag's value, by what _keyward-bus_words has behind the =.
_keyward-bus_value() {
    case $1 in
    "") ;;
    FILE) compopt -o default 2>/dev/null || _keyward-bus_lines compgen -f -- "$cur" ;;
    DIR) compopt -o dirnames 2>/dev/null || _keyward-bus_lines compgen -d -- "$cur" ;;
    *) COMPREPLY=($(compgen -W "${1//|/ }" -- "$cur")) ;;
    esac
}

# Takes a command's output, for a bash that has no compopt.
_keyward-bus_lines() {
    local line
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <("$@")
}

complete -F _keyward-bus keyward-bus
