#compdef keyward vovsecurity gen-root-cert gen-intermediate-cert gen-leaf-cert websocket-test-client
# The completion of keyward for zsh, made by `make generate`.
# source <(keyward completion zsh), or save it as _keyward in a folder of $fpath

# Completes the name of a command, or hands over to the function of the command that is there.
# What is described is in the caller's array commands.
__keyward_hand_over() {
    local curcontext=$curcontext state line
    _arguments -C -S "${@:2}" '(-)1:command:->name' '(-)*::argument:->rest'
    case $state in
    name) _describe -t commands command commands ;;
    rest) (( $+functions[$1_$line[1]] )) && $1_$line[1] ;;
    esac
}
{{range .}}
__{{under .Path}}() {
{{- if .Commands}}
    local -a commands=(
{{- range .Commands}}
        {{zshitem .}}
{{- end}}
    )
    __keyward_hand_over __{{under .Path}}
{{- else}}
    _arguments -S
{{- end}}
{{- with .Args}} \
        {{zsharg .}}
{{- end}}
{{- range .Flags}} \
        {{zshflag .}}
{{- end}}
}
{{end}}
# A link named like one of the scripts is that command.
_keyward() {
    case $service in
    gen-*) __keyward_$service ;;
    websocket-test-client) __keyward_relay_connect ;;
    *) __keyward ;;
    esac
}

# As a file of $fpath this is called at once; what is sourced has to say whom it completes.
if [[ $funcstack[1] == _keyward ]]; then
    _keyward "$@"
else
    compdef _keyward keyward vovsecurity gen-root-cert gen-intermediate-cert gen-leaf-cert websocket-test-client
fi
