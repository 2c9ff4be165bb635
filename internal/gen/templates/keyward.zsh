#compdef {{.Name}}{{range .Links}} {{.}}{{end}}
# The completion of {{.Name}} for zsh, made by `make generate`.
{{- if .Links}}
# source <(keyward completion zsh), or save it as _keyward in a folder of $fpath
{{- end}}

# Completes the name of a command, or hands over to the function of the command that is there.
# What is described is in the caller's array commands.
__{{$.Name}}_hand_over() {
    local curcontext=$curcontext state line
    _arguments -C -S "${@:2}" '(-)1:command:->name' '(-)*::argument:->rest'
    case $state in
    name) _describe -t commands command commands ;;
    rest) (( $+functions[$1_$line[1]] )) && $1_$line[1] ;;
    esac
}
{{range .Commands}}
__{{under .Path}}() {
{{- if .Commands}}
    local -a commands=(
{{- range .Commands}}
        {{zshitem .}}
{{- end}}
    )
    __{{$.Name}}_hand_over __{{under .Path}}
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
{{- if .Links}}
# A link named like one of the scripts is that command.
_{{.Name}}() {
    case $service in
    gen-*) __keyward_$service ;;
    websocket-test-client) __keyward_relay_connect ;;
    *) __keyward ;;
    esac
}
{{- else}}
_{{.Name}}() { __{{.Name}} }
{{- end}}

# As a file of $fpath this is called at once; what is sourced has to say whom it completes.
if [[ $funcstack[1] == _{{.Name}} ]]; then
    _{{.Name}} "$@"
else
    compdef _{{.Name}} {{.Name}}{{range .Links}} {{.}}{{end}}
fi
