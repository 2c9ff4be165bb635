# The completion of keyward-bus for fish 3.1 and later, made by `make generate`.

# Prints the command that the line calls, then how many words stand behind it.
function __keyward-bus_call
    set -l words (commandline -opc)
    set -l path keyward-bus
    set -l behind 0
    for word in $words[2..-1]
        switch "$path $word"
            case '*'
                set behind (math $behind + 1)
        end
    end
    echo $path
    echo $behind
end

# Whether the line calls the command.
function __keyward-bus_in
    set -l call (__keyward-bus_call)
    test "$call[1]" = "$argv"
end

# Whether the word to complete stands right behind the command.
function __keyward-bus_at
    set -l call (__keyward-bus_call)
    test "$call[1]" = "$argv" -a "$call[2]" = 0
end

complete -c keyward-bus -f

complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l listen -x -d 'the ADDRESS and port; port 0 takes a free one'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l cert -r -F -d 'the server\'s certificate, and those above it if any, in PEM FILE, with its key where there is no --key'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l key -r -F -d 'its private key in PEM FILE'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l key-password-file -r -F -d 'the password of an encrypted key is the first line of FILE, - is stdin'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l client-ca -r -F -d 'let in whom the CAs in this PEM FILE signed, and nobody else'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l crl -x -d 'a FILE with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l trust-domain -x -d 'take certificates of this TRUST-DOMAIN, such as example.org'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l max-connections -x -d 'how many connections N may be open'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l max-per-account -x -d 'how many of them N with one account'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l jetstream -x -a '(__fish_complete_directories)' -d 'have NATS\'s streams, in DIR'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l metrics-listen -x -d 'tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l log-format -x -d 'FORMAT of the log: json or text'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l log-level -x -d 'the least LEVEL that is logged: debug, info (with it each client), warn or error'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward-bus -n '__keyward-bus_in keyward-bus' -l help -s h -d 'show this help'
