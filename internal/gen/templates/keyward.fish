# The completion of keyward for fish 3.1 and later, made by `make generate`.
# keyward completion fish >~/.config/fish/completions/keyward.fish

# Prints the command that the line calls, then how many words stand behind it.
function __keyward_call
    set -l words (commandline -opc)
    set -l path keyward
    set -l behind 0
    for word in $words[2..-1]
        switch "$path $word"
{{- range .}}
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
function __keyward_in
    set -l call (__keyward_call)
    test "$call[1]" = "$argv"
end

# Whether the word to complete stands right behind the command.
function __keyward_at
    set -l call (__keyward_call)
    test "$call[1]" = "$argv" -a "$call[2]" = 0
end

complete -c keyward -f
complete -c vovsecurity -w keyward
complete -c websocket-test-client -w "keyward relay connect"
# A link named like one of the scripts is that command.
for link in gen-root-cert gen-intermediate-cert gen-leaf-cert
    complete -c $link -w "keyward $link"
end
{{range .}}{{$in := fishquote (print "__keyward_in " .Path)}}{{$at := fishquote (print "__keyward_at " .Path)}}
{{- range .Commands}}
complete -c keyward -n {{$at}} -a {{last .Path}} -d {{fishquote .Usage}}
{{- end}}
{{- with choices .Args}}
complete -c keyward -n {{$at}} -a '{{join .}}'
{{- end}}
{{- range .Flags}}
complete -c keyward -n {{$in}} {{fishflag .}} -d {{fishquote .Usage}}
{{- end}}
{{end -}}
