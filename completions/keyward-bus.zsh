#compdef keyward-bus
# The completion of keyward-bus for zsh, made by `make generate`.

# Completes the name of a command, or hands over to the function of the command that is there.
# What is described is in the caller's array commands.
__keyward-bus_hand_over() {
    local curcontext=$curcontext state line
    _arguments -C -S "${@:2}" '(-)1:command:->name' '(-)*::argument:->rest'
    case $state in
    name) _describe -t commands command commands ;;
    rest) (( $+functions[$1_$line[1]] )) && $1_$line[1] ;;
    esac
}

__keyward-bus() {
    _arguments -S \
        '--listen=[the ADDRESS and port; port 0 takes a free one]:ADDRESS: ' \
        '--cert=[the server'\''s certificate, and those above it if any, in PEM FILE, with its key where there is no --key]:FILE:_files' \
        '--key=[its private key in PEM FILE]:FILE:_files' \
        '--key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--client-ca=[let in whom the CAs in this PEM FILE signed, and nobody else]:FILE:_files' \
        '*--crl=[a FILE with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them]:FILE: ' \
        '--trust-domain=[take certificates of this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '--max-connections=[how many connections N may be open]:N: ' \
        '--max-per-account=[how many of them N with one account]:N: ' \
        '--jetstream=[have NATS'\''s streams, in DIR]:DIR:_files -/' \
        '--metrics-listen=[tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works]:ADDRESS: ' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--log-format=[FORMAT of the log: json or text]:FORMAT: ' \
        '--log-level=[the least LEVEL that is logged: debug, info (with it each client), warn or error]:LEVEL: ' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

_keyward-bus() { __keyward-bus }

# As a file of $fpath this is called at once; what is sourced has to say whom it completes.
if [[ $funcstack[1] == _keyward-bus ]]; then
    _keyward-bus "$@"
else
    compdef _keyward-bus keyward-bus
fi
