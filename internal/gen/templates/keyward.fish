# The completion of {{.Name}} for fish 3.1 and later, made by `make generate`.
{{- if .Links}}
# keyward completion fish >~/.config/fish/completions/keyward.fish
{{- end}}

# Prints the command that the line calls, then how many words stand behind it.
function __{{$.Name}}_call
    set -l words (commandline -opc)
    set -l path {{.Name}}
    set -l behind 0
    for word in $words[2..-1]
        switch "$path $word"
{{- range .Commands}}
{{- if .Commands}}
            case{{range $i, $_ := .Commands}}{{if $i}} \
                {{else}} {{end}}{{fishquote .Path}}{{end}}
                set path "$path $word"
                set behind 0
{{- end}}
{{- end}}
            case '*'
                set behind (math $behind + 1)
        end
    end
    echo $path
    echo $behind
end

# Whether the line calls the command.
function __{{$.Name}}_in
    set -l call (__{{$.Name}}_call)
    test "$call[1]" = "$argv"
end

# Whether the word to complete stands right behind the command.
function __{{$.Name}}_at
    set -l call (__{{$.Name}}_call)
    test "$call[1]" = "$argv" -a "$call[2]" = 0
end

complete -c {{.Name}} -f
{{- if .Links}}
complete -c vovsecurity -w keyward
complete -c websocket-test-client -w "keyward relay connect"
# A link named like one of the scripts is that command.
for link in gen-root-cert gen-intermediate-cert gen-leaf-cert
    complete -c $link -w "keyward $link"
end
{{- end}}
{{range .Commands}}{{$in := fishquote (print "__" $.Name "_in " .Path)}}{{$at := fishquote (print "__" $.Name "_at " .Path)}}
{{- range .Commands}}
complete -c {{$.Name}} -n {{$at}} -a {{last .Path}} -d {{fishquote .Usage}}
{{- end}}
{{- with choices .Args}}
complete -c {{$.Name}} -n {{$at}} -a '{{join .}}'
{{- end}}
{{- range .Flags}}
complete -c {{$.Name}} -n {{$in}} {{fishflag .}} -d {{fishquote .Usage}}
{{- end}}
{{end -}}
