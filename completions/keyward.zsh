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

__keyward() {
    local -a commands=(
        'keygen:make a NaCl key pair in the user key file'
        'getkey:print the public key of the user key file, or the keys of another user'
        'addkey:register a public key with one or more registries'
        'listkeys:list the registered keys'
        'delkey:delete a registered key'
        'rotatekey:put a new key in the place of the old one, wherever it is registered'
        'prune:delete the expired keys of all users (administrator)'
        'getserverkey:print the registry'\''s public key'
        'login:get a token, by password or with the key'
        'seal:encrypt a file or stream to another user'
        'open:decrypt a file that another user sealed, and tell who did'
        'servers:keep registries under short names, for --server'
        'gen-root-cert:make a root certificate and its key'
        'gen-intermediate-cert:make an intermediate certificate and its key'
        'gen-leaf-cert:make a leaf certificate and its key: for a server, a client or a peer'
        'gen-csr:make a key and a certificate signing request for a CA elsewhere'
        'sign-csr:sign somebody else'\''s request: the names that are allowed, no more'
        'renew-cert:renew the certificates that end soon, each from itself alone'
        'show-cert:show the certificates and CRLs in a file or of a server'
        'verify-cert:tell whether certificates can be trusted, and if not, why'
        'export-cert:write a certificate in the forms that other programs read'
        'list-certs:list what a CA issued, and what has become of it'
        'revoke-cert:revoke a certificate, and sign the list that says so'
        'gen-crl:sign a list of the certificates that a CA revoked'
        'ledger:check, import and export what a CA keeps of its certificates'
        'check-expiry:tell which certificates end soon, roots included'
        'plan:tell what apply would do for a manifest, and why'
        'apply:make, renew and mend certificates as a manifest says'
        'ensure:make, renew or leave one certificate, as it needs'
        'serve:run the registry: HTTPS REST API v3 over SQLite or PostgreSQL'
        'user:add, list and delete the registry'\''s users, change passwords'
        'backup:write what the registry keeps to a file, also while it serves'
        'restore:put a backup in the place of what the registry keeps'
        'store:look at what the registry keeps, and move it to another database'
        'audit:read and check the registry'\''s audit log'
        'serverkey:look at the server'\''s key files, and replace the key'
        'relay:let two peers meet over websockets with mutual TLS'
        'keyexchange:publish and read a sealed stream, and give out its keys'
        'bus:talk over NATS, where a certificate opens exactly its own doors'
        'demo:show the whole story in a temporary folder'
        'doctor:look for what is wrong, and say what mends it'
        'completion:print the completion script of a shell'
        'version:print the version; with --json the places in use too'
        'help:show the help of a command'
    )
    __keyward_hand_over __keyward \
        '--version[print the version]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keygen() {
    _arguments -S \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(--force -f)'{--force,-f}'[replace the pair, and keep the old one as a dated backup]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_getkey() {
    _arguments -S \
        '(-u --user)'{-u,--user}'=[the keys of user NAME, from the registry]:NAME: ' \
        '--trust-new[trust keys that came after the first time (with -u)]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_addkey() {
    _arguments -S \
        '(-kv --kv)'{-kv,--kv}'=[the public KEY]:KEY: ' \
        '(-kd --kd)'{-kd,--kd}'=[its DESCRIPTION: one line]:DESCRIPTION: ' \
        '--expires=[it logs in for this TIME: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01]:TIME: ' \
        '*--label=[a LABEL of it, as ci or host=web1; repeatable]:LABEL: ' \
        '(-u --user)'{-u,--user}'=[register it for user NAME (administrator)]:NAME: ' \
        '--if-missing[succeed where the key is there already]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '*--server=[a registry that is kept as NAME (keyward servers add); repeatable]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_listkeys() {
    _arguments -S \
        '(-a --all)'{-a,--all}'[the keys of all users (administrator)]' \
        '(-u --user)'{-u,--user}'=[the keys of user NAME (administrator)]:NAME: ' \
        '(--long -l)'{--long,-l}'[print a table with all that is known of each key]' \
        '--stale=[only keys neither used nor made for this TIME: 90 or 90d, 12h, 12w, 1y]:TIME: ' \
        '--expired[only keys that have expired]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_delkey() {
    _arguments -S \
        '(-kv --kv)'{-kv,--kv}'=[the public KEY]:KEY: ' \
        '--fingerprint=[the key'\''s FINGERPRINT, or its first hex digits, 8 or more]:FINGERPRINT: ' \
        '(-kd --kd)'{-kd,--kd}'=[the key'\''s DESCRIPTION, all of it]:DESCRIPTION: ' \
        '(-u --user)'{-u,--user}'=[delete a key of user NAME (administrator)]:NAME: ' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_rotatekey() {
    _arguments -S \
        '--overlap=[the old key logs in for this TIME more: 12h, 7d, 2w; 0 deletes it]:TIME: ' \
        '--expires=[the new key logs in for this TIME: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01]:TIME: ' \
        '--dry-run[say what would be done, and do nothing]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '*--server=[a registry that is kept as NAME (keyward servers add); repeatable]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_prune() {
    _arguments -S \
        '--older-than=[only keys that expired this TIME ago or earlier: 30 or 30d, 12h, 12w, 1y]:TIME: ' \
        '--dry-run[list the keys, and delete nothing]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_getserverkey() {
    _arguments -S \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_login() {
    _arguments -S \
        '--with-key[log in with the user key file'\''s private key]' \
        '--revoke[end the token in KEYWARD_TOKEN, else on stdin]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_seal() {
    _arguments -S \
        '1:[FILE|-]: ' \
        '(-u --user)'{-u,--user}'=[seal to user NAME]:NAME: ' \
        '(--output -o)'{--output,-o}'=[write to FILE, - is stdout]:FILE:_files' \
        '--offline[ask no registry: take the keys that were trusted before]' \
        '(--force -f)'{--force,-f}'[replace a file that is there]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_open() {
    _arguments -S \
        '1:[FILE|-]: ' \
        '--from=[it must be sealed by user NAME]:NAME: ' \
        '(--output -o)'{--output,-o}'=[write to FILE, - is stdout]:FILE:_files' \
        '--offline[ask no registry: the sender'\''s key must have been trusted before]' \
        '(--force -f)'{--force,-f}'[replace a file that is there]' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_servers() {
    local -a commands=(
        'add:keep a registry under a name'
        'list:list the registries that are kept'
        'remove:forget a registry'
    )
    __keyward_hand_over __keyward_servers \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_servers_add() {
    _arguments -S \
        '1:NAME: ' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '(-as --as)'{-as,--as}'=[log in there as NAME]:NAME: ' \
        '(--force -f)'{--force,-f}'[replace the registry of that name]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_servers_list() {
    _arguments -S \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_servers_remove() {
    _arguments -S \
        '1:NAME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_gen-root-cert() {
    _arguments -S \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '--ledger=[its own ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--profile=[what it is for]:choice:(peer server client micronets)' \
        '--days=[the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--expiration-in-days=[the same in DAYS, as the Micronets scripts have it]:DAYS: ' \
        '--key-type=[its key]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '--key-password-file=[encrypt the new key with the first line of FILE, - is stdin]:FILE:_files' \
        '--encrypt-key[encrypt the new key with a password that is asked for at the terminal]' \
        '--path-len=[how many CAs may stand below it: N]:N: ' \
        '*--permit-dns=[it may sign for this DOMAIN and what is under it; repeatable]:DOMAIN: ' \
        '*--permit-ip=[it may sign for the addresses in this CIDR; repeatable]:CIDR: ' \
        '--dry-run[check everything, say what would be written, and write nothing]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_gen-intermediate-cert() {
    _arguments -S \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--clamp[end with the issuer where the lifetime would be longer]' \
        '--profile=[what it is for]:choice:(peer server client micronets)' \
        '--days=[the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--expiration-in-days=[the same in DAYS, as the Micronets scripts have it]:DAYS: ' \
        '--key-type=[its key]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '--key-password-file=[encrypt the new key with the first line of FILE, - is stdin]:FILE:_files' \
        '--encrypt-key[encrypt the new key with a password that is asked for at the terminal]' \
        '--path-len=[how many CAs may stand below it: N]:N: ' \
        '*--permit-dns=[it may sign for this DOMAIN and what is under it; repeatable]:DOMAIN: ' \
        '*--permit-ip=[it may sign for the addresses in this CIDR; repeatable]:CIDR: ' \
        '--dry-run[check everything, say what would be written, and write nothing]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_gen-leaf-cert() {
    _arguments -S \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--clamp[end with the issuer where the lifetime would be longer]' \
        '--profile=[what it is for]:choice:(peer server client micronets)' \
        '--days=[the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--expiration-in-days=[the same in DAYS, as the Micronets scripts have it]:DAYS: ' \
        '--key-type=[its key]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '--key-password-file=[encrypt the new key with the first line of FILE, - is stdin]:FILE:_files' \
        '--encrypt-key[encrypt the new key with a password that is asked for at the terminal]' \
        '--account=[open the ACCOUNT of the bus with it: its one URI is spiffe://TRUST-DOMAIN/bus/account/ACCOUNT]:ACCOUNT: ' \
        '--trust-domain=[the bus takes certificates of this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '*--san=[a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable]:NAME: ' \
        '--pkeycert[write certificate, intermediates and key in one file too]' \
        '--dry-run[check everything, say what would be written, and write nothing]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_gen-csr() {
    _arguments -S \
        '--account=[open the ACCOUNT of the bus with it: its one URI is spiffe://TRUST-DOMAIN/bus/account/ACCOUNT]:ACCOUNT: ' \
        '--trust-domain=[the bus takes certificates of this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '*--san=[a NAME to ask for: DNS, IP, URI or e-mail, told apart by form; repeatable]:NAME: ' \
        '--key-type=[its key]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '--key=[ask with the private key in PEM FILE, and make none]:FILE:_files' \
        '--key-password-file=[encrypt the new key with the first line of FILE, or open that of --key; - is stdin]:FILE:_files' \
        '--encrypt-key[encrypt the new key with a password that is asked for at the terminal]' \
        '--dry-run[check everything, say what would be written, and write nothing]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_sign-csr() {
    _arguments -S \
        '1:CSRFILE: ' \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '*--allow=[sign names as this PATTERN says: a name, *.example.org (one label), .example.org (any), an IP or CIDR, an e-mail address or @example.org, a URI and what is below; repeatable]:PATTERN: ' \
        '*--san=[sign this NAME instead of those of the request; repeatable]:NAME: ' \
        '--account=[open the ACCOUNT of the bus with it: its one URI is spiffe://TRUST-DOMAIN/bus/account/ACCOUNT]:ACCOUNT: ' \
        '--trust-domain=[the bus takes certificates of this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--clamp[end with the issuer where the lifetime would be longer]' \
        '--profile=[what it is for]:choice:(peer server client micronets)' \
        '--days=[the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--expiration-in-days=[the same in DAYS, as the Micronets scripts have it]:DAYS: ' \
        '--dry-run[check everything, say what would be signed, and write nothing]' \
        '(--yes -y)'{--yes,-y}'[sign all names of the request, without a question]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_renew-cert() {
    _arguments -S \
        '1:BASENAME|CERTFILE|FOLDER...: ' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--clamp[end with the issuer where the lifetime would be longer]' \
        '--within=[renew what ends in this TIME: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired; the default counts where that is nearly the whole lifetime]:TIME: ' \
        '--now[renew however long it has still to go]' \
        '--days=[the new LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--rekey[make a new key of the same type, encrypted as the old one was]' \
        '--key-type=[with --rekey, a new key of this type]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '--key=[the certificate'\''s private key in PEM FILE]:FILE:_files' \
        '--key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--exec=[run COMMAND by the shell after each renewal]:COMMAND: ' \
        '--exec-timeout=[end the command after this TIME]:TIME: ' \
        '--dry-run[say what would be renewed, and write and run nothing]' \
        '(--force -f)'{--force,-f}'[sign below another CA than the old one'\''s, renew what is revoked, or give a root a new key]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_show-cert() {
    _arguments -S \
        '1:TARGET...: ' \
        '--text[print everything that is in each, as openssl does; of a CRL what is revoked]' \
        '--pem[print the certificates and CRLs as PEM]' \
        '--password-file=[the password of PKCS#12 is the first line of FILE, - is stdin]:FILE:_files' \
        '--timeout=[give a server up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_verify-cert() {
    _arguments -S \
        '1:TARGET...: ' \
        '*--ca-file=[trust the roots in this PEM FILE and no other; may be repeated]:FILE: ' \
        '*--untrusted=[a FILE with intermediates; may be repeated]:FILE: ' \
        '--name=[the certificate must be for this NAME: a DNS name, IP address, e-mail address or URI]:NAME: ' \
        '--for=[it must be for this USE: server, client or any]:USE: ' \
        '(-at --at)'{-at,--at}'=[verify for this TIME and not for now: 2027-01-31 or 2027-01-31T12:00:00Z]:TIME: ' \
        '*--crl=[a FILE with CRLs, in PEM or one in DER; may be repeated]:FILE: ' \
        '--crl-check-all[each certificate of the chain must be covered by a CRL]' \
        '--strict[hold the rules that verifiers let pass]' \
        '--password-file=[the password of PKCS#12 is the first line of FILE, - is stdin]:FILE:_files' \
        '--timeout=[give a server up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_export-cert() {
    _arguments -S \
        '1:CERTFILE: ' \
        '(-to --to)'{-to,--to}'=[the FORMATS, with commas between them: fullchain, chain, pkeycert, pkcs12, pkcs12-legacy, truststore, der, k8s]:FORMATS: ' \
        '--key=[the certificate'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key[let a format hold the private key of a CA]' \
        '--key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '*--ca-certfile=[the certificates of its issuers in PEM FILE; repeatable]:FILE: ' \
        '--cert-basename=[the files are B.fullchain.pem and so on]:B:_files' \
        '--password-file=[the password to set on PKCS#12 is the first line of FILE, - is stdin]:FILE:_files' \
        '--empty-password[set the empty password on PKCS#12: who has the file has the key]' \
        '--namespace=[the NAMESPACE of the Kubernetes Secret]:NAMESPACE: ' \
        '(--out -o)'{--out,-o}'=[- writes one format to stdout, and no file]:-: ' \
        '--dry-run[check everything, say what would be written, and write nothing]' \
        '(--force-overwrite --force -f)'{--force-overwrite,--force,-f}'[replace the files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_list-certs() {
    _arguments -S \
        '1:LEDGER|CA-CERTFILE...: ' \
        '*--state=[only those that are ; repeatable]:choice:(valid revoked expired superseded)' \
        '--within=[only those that end in this TIME and have not ended: 30 or 30d, 12w, 1y, until 2027-01-01]:TIME: ' \
        '--name=[only those with a name, or a subject'\''s CN or O, like this GLOB]:GLOB: ' \
        '--serial=[only the one with this serial NUMBER in hex]:NUMBER: ' \
        '--since=[only those issued since this DAY: 2026-11-22]:DAY: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_revoke-cert() {
    _arguments -S \
        '1:SERIAL|NAME|FILE: ' \
        '--reason=[why, as RFC 5280 has it]:choice:(unspecified keyCompromise caCompromise affiliationChanged superseded cessationOfOperation certificateHold privilegeWithdrawn aACompromise)' \
        '--release[end a certificateHold]' \
        '--all[all certificates of that name]' \
        '--same-key[all certificates with its key besides, in the same list]' \
        '--if-missing[succeed where it is revoked already; the list is written all the same]' \
        '--dry-run[say what would be revoked, and write nothing]' \
        '(--yes -y)'{--yes,-y}'[do not ask]' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--days=[the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01]:TIME: ' \
        '--out=[write the list to FILE, as DER if it ends in .der, else as PEM]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_gen-crl() {
    _arguments -S \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--days=[the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01]:TIME: ' \
        '--out=[write the list to FILE, as DER if it ends in .der, else as PEM]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ledger() {
    local -a commands=(
        'verify:check every line of a ledger'
        'head:print the number and the hash of the last line'
        'import:take over the index.txt of openssl ca or easy-rsa'
        'export:print the ledger as another tool'\''s database'
    )
    __keyward_hand_over __keyward_ledger \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ledger_verify() {
    _arguments -S \
        '1:[LEDGER]: ' \
        '--ca-certfile=[the CA'\''s certificate in FILE]:FILE:_files' \
        '--head=[the HEAD that `keyward ledger head` printed: it must still be in the ledger]:HEAD: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ledger_head() {
    _arguments -S \
        '1:LEDGER|CA-CERTFILE: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ledger_import() {
    _arguments -S \
        '1:INDEX.TXT: ' \
        '--certs=[the FOLDER with the certificates]:FOLDER:_files -/' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ledger_export() {
    _arguments -S \
        '1:LEDGER|CA-CERTFILE: ' \
        '--format=[openssl, which is all there is]:openssl: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_check-expiry() {
    _arguments -S \
        '1:TARGET...: ' \
        '--within=[what ends in this TIME is due: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired]:TIME: ' \
        '--chart[print how many end in each of the next twelve months]' \
        '--prometheus[print the ends as metrics in Prometheus'\''s text format]' \
        '--password-file=[the password of PKCS#12 is the first line of FILE, - is stdin]:FILE:_files' \
        '--timeout=[give a server up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_plan() {
    _arguments -S \
        '1:[MANIFEST]: ' \
        '--all[list what stays as it is too]' \
        '--schema[print the manifest'\''s JSON schema, for editors]' \
        '--parallel=[look at and make N certificates at a time]:N: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_apply() {
    _arguments -S \
        '1:[MANIFEST]: ' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--parallel=[look at and make N certificates at a time]:N: ' \
        '--dry-run[do as plan does: print what would be done, and write nothing]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_ensure() {
    _arguments -S \
        '--cert-basename=[the files are B.key.pem and so on]:B:_files' \
        '--subject-org-name=[the subject'\''s ORGANIZATION]:ORGANIZATION: ' \
        '--ca-certfile=[the issuer'\''s certificate, and those above it if any, in PEM FILE]:FILE:_files' \
        '--ca-keyfile=[the issuer'\''s private key in PEM FILE]:FILE:_files' \
        '--ca-key-password-file=[the password of an encrypted CA key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ledger=[the issuer'\''s ledger FILE, which notes what is signed; none keeps none]:FILE:_files' \
        '--clamp[end with the issuer where the lifetime would be longer]' \
        '--profile=[what it is for]:choice:(peer server client micronets)' \
        '--days=[the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01]:LIFETIME: ' \
        '--expiration-in-days=[the same in DAYS, as the Micronets scripts have it]:DAYS: ' \
        '--key-type=[its key]:choice:(p256 p384 ed25519 rsa2048 rsa3072 rsa4096)' \
        '*--san=[a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable]:NAME: ' \
        '--renew-within=[renew what ends in this TIME: 30 or 30d, 12w, 1y]:TIME: ' \
        '--rekey[make a new key at each renewal]' \
        '*--output=[a file to make besides; repeatable]:choice:(fullchain chain pkeycert pkcs12 pkcs12-legacy truststore der k8s)' \
        '--key-password-file=[encrypt the key, and PKCS#12, with the first line of FILE, - is stdin]:FILE:_files' \
        '--dry-run[say what would be done, and write nothing]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_serve() {
    _arguments -S \
        '--listen=[the ADDRESS and port; port 0 takes a free one; a socket that systemd passes on takes its place]:ADDRESS: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '--audit-key=[the key that signs the audit log is in FILE]:FILE:_files' \
        '*--name=[a NAME or address for the server'\''s certificate beside localhost and loopback, repeatable; other names make a new certificate for the same key]:NAME: ' \
        '--tls-cert=[a certificate chain in PEM FILE, in place of the registry'\''s own]:FILE:_files' \
        '--tls-key=[its private key in PEM FILE]:FILE:_files' \
        '--tls-key-password-file=[the password of an encrypted --tls-key is the first line of FILE, - is stdin]:FILE:_files' \
        '--admin-password-file=[at the first start, the first line of FILE is the admin'\''s password; - is stdin]:FILE:_files' \
        '--project=[the project NAME that the API tells]:NAME: ' \
        '--max-connections=[how many connections N may be open, a quarter of them from one address]:N: ' \
        '--metrics-listen=[tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics]:ADDRESS: ' \
        '--log-format=[FORMAT of the log: json or text]:FORMAT: ' \
        '--log-level=[the least LEVEL that is logged: debug, info (with it each request), warn or error]:LEVEL: ' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_user() {
    local -a commands=(
        'add:add a user'
        'list:list the users'
        'passwd:change a user'\''s password'
        'delete:delete a user with all keys'
    )
    __keyward_hand_over __keyward_user \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_user_add() {
    _arguments -S \
        '1:NAME: ' \
        '--new-password-file=[the new password is the first line of FILE, - is stdin (after the caller'\''s own); else asked for]:FILE:_files' \
        '--admin[make the user an administrator]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_user_list() {
    _arguments -S \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_user_passwd() {
    _arguments -S \
        '1:NAME: ' \
        '--new-password-file=[the new password is the first line of FILE, - is stdin (after the caller'\''s own); else asked for]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_user_delete() {
    _arguments -S \
        '1:NAME: ' \
        '(--yes -y)'{--yes,-y}'[do not ask]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_backup() {
    _arguments -S \
        '1:FILE|-: ' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '--audit-key=[the key that signs the audit log is in FILE]:FILE:_files' \
        '--with-keys[the private keys and certificates of the registry too]' \
        '(--force -f)'{--force,-f}'[replace FILE]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_restore() {
    _arguments -S \
        '1:FILE: ' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '--audit-key=[the key that signs the audit log is in FILE]:FILE:_files' \
        '--replace[do not ask: replace what is in the store]' \
        '--with-keys[the private keys and certificates of the registry too]' \
        '(--force -f)'{--force,-f}'[with --with-keys, replace key files that are there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_store() {
    local -a commands=(
        'copy:copy a store to another'
        'show:tell what a store holds'
    )
    __keyward_hand_over __keyward_store \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_store_copy() {
    _arguments -S \
        '--from=[copy this STORE, as `serve --store` has it]:STORE: ' \
        '(-to --to)'{-to,--to}'=[to this STORE]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--audit-key=[the key that signs the audit log is in FILE]:FILE:_files' \
        '--replace[replace what is in the target]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_store_show() {
    _arguments -S \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_audit() {
    local -a commands=(
        'list:print the records (administrator)'
        'verify:check the whole log (administrator), or a file of it'
    )
    __keyward_hand_over __keyward_audit \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_audit_list() {
    _arguments -S \
        '--after=[only records after number SEQ]:SEQ: ' \
        '--since=[only records of the last TIME: 24h, 7 or 7d, 2w, 1y]:TIME: ' \
        '(--user -u)'{--user,-u}'=[only records by or about user NAME]:NAME: ' \
        '--what=[only records of this ACT: user.add, user.password, user.delete, key.add, key.expiry, key.delete, key.prune, serverkey.set, account.add, account.update, account.revoke, store.restore, login.refused; or of a kind of them, as key]:ACT: ' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_audit_verify() {
    _arguments -S \
        '1:[FILE]: ' \
        '*--audit-key=[the audit key'\''s public key in PEM FILE, audit-key.pub of the data folder; repeatable, where it was replaced]:FILE: ' \
        '--head=[the HEAD that an earlier audit verify printed: it must be in the log]:HEAD: ' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_serverkey() {
    local -a commands=(
        'show:print the server'\''s public keys'
        'rotate:put a new server key in the place of the old one'
    )
    __keyward_hand_over __keyward_serverkey \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_serverkey_show() {
    _arguments -S \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_serverkey_rotate() {
    _arguments -S \
        '--overlap=[the old key is taken for this TIME more: 12h, 30d, 2w; 0 ends it at once]:TIME: ' \
        '--prepare[only make the pair, as FILE.next, to be copied to the other replicas]' \
        '--lost=[replace the key with this FINGERPRINT, which nobody has any more]:FINGERPRINT: ' \
        '(--force -f)'{--force,-f}'[rotate though the last rotation is not over: the key before the old one is not taken any more]' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_relay() {
    local -a commands=(
        'serve:run the relay'
        'status:show who waits at the relay, and who is paired'
        'connect:meet a peer through a relay, and carry REST requests and events'
    )
    __keyward_hand_over __keyward_relay \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_relay_serve() {
    _arguments -S \
        '--listen=[the ADDRESS and port; port 0 takes a free one; a socket that systemd passes on takes its place]:ADDRESS: ' \
        '--cert=[the relay'\''s certificate, and those above it if any, in PEM FILE, with its key where there is no --key]:FILE:_files' \
        '--key=[its private key in PEM FILE]:FILE:_files' \
        '--key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ca-file=[let in whom the CAs in this PEM FILE signed, and nobody else]:FILE:_files' \
        '*--crl=[a FILE with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them]:FILE: ' \
        '--allow=[who may meet whom stands in the rules in FILE]:FILE:_files' \
        '--path-prefix=[the PATH before the meetup id]:PATH: ' \
        '--max-message=[the SIZE of the largest message, as 65536, 64KiB or 1MB]:SIZE: ' \
        '--max-peers=[how many peers N may be connected]:N: ' \
        '--max-per-address=[how many of them N from one address]:N: ' \
        '--max-per-peer=[how many of them N with the key of one certificate]:N: ' \
        '--hello-timeout=[how much TIME a peer has to its HELLO]:TIME: ' \
        '--wait-timeout=[how much TIME a peer may wait for another]:TIME: ' \
        '--metrics-listen=[tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works]:ADDRESS: ' \
        '--admin-socket=[the unix socket at PATH, by which `relay status` asks]:PATH:_files' \
        '--log-format=[FORMAT of the log: json or text]:FORMAT: ' \
        '--log-level=[the least LEVEL that is logged: debug, info (with it each peer), warn or error]:LEVEL: ' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_relay_status() {
    _arguments -S \
        '--admin-socket=[the unix socket at PATH, by which `relay status` asks]:PATH:_files' \
        '--once[print the table once, on a terminal too]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_relay_connect() {
    _arguments -S \
        '1:URI: ' \
        '(--client-cert -cc --cc)'{--client-cert,-cc,--cc}'=[show the relay the certificate in PEM FILE, with its intermediates and key (gen-leaf-cert --pkeycert)]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin (not with --event)]:FILE:_files' \
        '(--ca-file --ca-cert -ca --ca)'{--ca-file,--ca-cert,-ca,--ca}'=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--server-name=[the relay'\''s certificate has to have this NAME]:NAME: ' \
        '--http-proxy=[take HTTP requests for the peer at \[HOST\]:PORT; without a host on loopback, port 0 takes a free one]:[HOST]:PORT: ' \
        '(--http-proxy-address -a)'{--http-proxy-address,-a}'=[the same as the test client has it: the HOST]:HOST: ' \
        '(--http-proxy-port -p)'{--http-proxy-port,-p}'=[and the PORT]:PORT: ' \
        '*--http-proxy-name=[take requests for this host NAME too, beside localhost and addresses; repeatable, * is any name: then web pages may reach the peer]:NAME: ' \
        '--forward=[answer the peer'\''s requests from the service at URL, http or https; a path in it comes before theirs]:URL: ' \
        '--allow-http[--forward by plain http to another machine: everything sent can be read on the way]' \
        '--event=[publish each line of stdin as an event of this NAME]:NAME: ' \
        '--event-type=[what the lines are, a MIME TYPE; with application/json each is a JSON value]:TYPE: ' \
        '--peer-class=[tell the peer this CLASS of us]:CLASS: ' \
        '--peer-id=[tell the peer this ID of us]:ID: ' \
        '--timeout=[give up an HTTP request after this TIME, either way]:TIME: ' \
        '--max-message=[the SIZE of the largest message, either way, as 65536, 64KiB or 1MB; the relay'\''s limit counts too]:SIZE: ' \
        '--once[connect once: end with the connection, 0 where a peer was met]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange() {
    local -a commands=(
        'serve:give the keys to clients'
        'rotate:make new exchange keys, which hold from a moment on'
        'publish:seal lines of JSON, and publish them'
        'fetch:get the keys from an exchange, keyward'\''s or napalm-logs'\'' own'
        'subscribe:read sealed messages as lines of JSON'
    )
    __keyward_hand_over __keyward_keyexchange \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange_serve() {
    _arguments -S \
        '--listen=[the ADDRESS and port; port 0 takes a free one; a socket that systemd passes on takes its place]:ADDRESS: ' \
        '--auth-address=[the ADDRESS alone, as the original has it]:ADDRESS: ' \
        '--auth-port=[the port N alone, as the original has it]:N: ' \
        '(--cert --certificate)'{--cert,--certificate}'=[the server'\''s certificate, and those above it if any, in PEM FILE, with its key where there is no --key]:FILE:_files' \
        '(--key --keyfile)'{--key,--keyfile}'=[its private key in PEM FILE]:FILE:_files' \
        '--key-password-file=[the password of an encrypted --key is the first line of FILE, - is stdin]:FILE:_files' \
        '--exchange-keys=[the keys that seal and open are in FILE]:FILE:_files' \
        '--exchange-keys-password-file=[the password of encrypted --exchange-keys is the first line of FILE, - is stdin; a file that is made is encrypted with it]:FILE:_files' \
        '--client-ca=[ask clients for a certificate that the CAs in this PEM FILE signed]:FILE:_files' \
        '*--crl=[a FILE with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them]:FILE: ' \
        '--require-client-cert[give nobody the keys who shows no certificate: no original client can]' \
        '--allow=[who gets the keys stands in the rules in FILE]:FILE:_files' \
        '--max-clients=[how many clients N may be connected]:N: ' \
        '--max-per-address=[how many of them N from one address]:N: ' \
        '--step-timeout=[how much TIME a client has for TLS, and for each word up to the keys]:TIME: ' \
        '--idle-timeout=[how much TIME a client with keys has between two keep-alives, which come every 10 seconds]:TIME: ' \
        '--metrics-listen=[tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works]:ADDRESS: ' \
        '--log-format=[FORMAT of the log: json or text]:FORMAT: ' \
        '--log-level=[the least LEVEL that is logged: debug, info (with it each client), warn or error]:LEVEL: ' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange_rotate() {
    _arguments -S \
        '--exchange-keys=[the keys that seal and open are in FILE]:FILE:_files' \
        '--exchange-keys-password-file=[the password of encrypted --exchange-keys is the first line of FILE, - is stdin; a file that is made is encrypted with it]:FILE:_files' \
        '(-in --in)'{-in,--in}'=[the new keys seal after this TIME]:TIME: ' \
        '--overlap=[the old keys are known for this TIME longer]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange_publish() {
    _arguments -S \
        '--transport=[the TRANSPORT of messages: zmq, nats or stdio, which has 4 bytes of length before each]:TRANSPORT: ' \
        '--listen=[where ZeroMQ'\''s subscribers come, as tcp://ADDRESS:PORT; tcp://*:PORT is all addresses, port 0 a free one]:tcp://ADDRESS:PORT: ' \
        '--connect=[the NATS server, as tls://HOST:PORT; nats:// for this machine'\''s]:tls://HOST:PORT: ' \
        '--wait-subscribers=[read stdin once N have subscribed, over ZeroMQ]:N: ' \
        '--wait-timeout=[give up when they are not there after this TIME]:TIME: ' \
        '--max-message=[the largest message is of SIZE, sealed, as 64KiB]:SIZE: ' \
        '--subject=[the NATS SUBJECT]:SUBJECT: ' \
        '--nats-ca-file=[trust the NATS server below the roots in this PEM FILE]:FILE:_files' \
        '--nats-client-cert=[show the NATS server the certificate in PEM FILE, with its intermediates and key]:FILE:_files' \
        '--nats-client-key=[its private key in PEM FILE]:FILE:_files' \
        '--nats-client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--nats-creds=[log in to NATS with what is in FILE: a user'\''s JWT and seed, as nsc writes them, or one line USER:PASSWORD]:FILE:_files' \
        '--allow-plain-nats[nats:// to another machine: who logs in, and what is not sealed, can be read on the way]' \
        '--exchange-keys=[the keys that seal and open are in FILE]:FILE:_files' \
        '--exchange-keys-password-file=[the password of encrypted --exchange-keys is the first line of FILE, - is stdin; a file that is made is encrypted with it]:FILE:_files' \
        '--no-security[seal nothing: everybody on the way can read, change and forge the messages]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange_fetch() {
    _arguments -S \
        '1:HOST:PORT: ' \
        '(--cert --certificate)'{--cert,--certificate}'=[trust the exchange'\''s certificate, or its root, in this PEM FILE and no other]:FILE:_files' \
        '--server-name=[the exchange'\''s certificate has to have this NAME]:NAME: ' \
        '--client-cert=[show the exchange the certificate in PEM FILE, with its intermediates and key]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '(--out -o)'{--out,-o}'=[store the keys in FILE, - is stdout]:FILE:_files' \
        '--watch[stay connected, and tell each change of the keys]' \
        '(--force -f)'{--force,-f}'[replace the file that is there]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_keyexchange_subscribe() {
    _arguments -S \
        '--transport=[the TRANSPORT of messages: zmq, nats or stdio, which has 4 bytes of length before each]:TRANSPORT: ' \
        '--connect=[the publisher is at URL, tcp://HOST:PORT; over NATS it is the server, tls://HOST:PORT, or nats:// for this machine'\''s]:URL: ' \
        '--max-message=[the largest message is of SIZE, sealed, as 64KiB]:SIZE: ' \
        '--subject=[the NATS SUBJECT]:SUBJECT: ' \
        '--nats-ca-file=[trust the NATS server below the roots in this PEM FILE]:FILE:_files' \
        '--nats-client-cert=[show the NATS server the certificate in PEM FILE, with its intermediates and key]:FILE:_files' \
        '--nats-client-key=[its private key in PEM FILE]:FILE:_files' \
        '--nats-client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--nats-creds=[log in to NATS with what is in FILE: a user'\''s JWT and seed, as nsc writes them, or one line USER:PASSWORD]:FILE:_files' \
        '--allow-plain-nats[nats:// to another machine: who logs in, and what is not sealed, can be read on the way]' \
        '--auth=[get the keys from the exchange at HOST:PORT]:HOST:PORT: ' \
        '(--cert --certificate)'{--cert,--certificate}'=[trust the exchange'\''s certificate, or its root, in this PEM FILE and no other]:FILE:_files' \
        '--server-name=[the exchange'\''s certificate has to have this NAME]:NAME: ' \
        '--client-cert=[show the exchange the certificate in PEM FILE, with its intermediates and key]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--exchange-keys=[the keys are in FILE, and no exchange is asked]:FILE:_files' \
        '--exchange-keys-password-file=[the password of encrypted --exchange-keys is the first line of FILE, - is stdin]:FILE:_files' \
        '--no-security[the messages are not sealed: anybody on the way may have written them]' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus() {
    local -a commands=(
        'account:add, show, change and revoke the accounts of the bus'
        'config:print the configuration of a NATS server of the bus'
        'authorize:tell NATS servers who may do what'
        'emit:send to the account'\''s own message box'
        'consume:print what a role of the account hears'
        'request:ask a service, and print its reply'
        'serve-echo:answer each request with what it says'
    )
    __keyward_hand_over __keyward_bus \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account() {
    local -a commands=(
        'add:add an account'
        'list:list the accounts'
        'show:show an account and exactly what it may do'
        'update:change an account'
        'revoke:revoke an account and end its connections'
    )
    __keyward_hand_over __keyward_bus_account \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account_add() {
    _arguments -S \
        '1:NAME: ' \
        '--trust-domain=[it is opened by the certificates of gen-leaf-cert --account in this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '*--identity=[it is opened by certificates with this URI, spiffe://TRUST-DOMAIN/bus/account/NAME; repeatable]:URI: ' \
        '*--emitter=[it sends as the emitter NAME; repeatable]:NAME: ' \
        '*--consumer=[it hears as NAME=SUBJECT,...; without subjects the message boxes of all emitters of that name; repeatable]:NAME=SUBJECT,...: ' \
        '*--worker=[it hears and replies as NAME=SUBJECT,..., or NAME as for --consumer, and each message goes to one of its connections; repeatable]:NAME=SUBJECT,...: ' \
        '*--service=[it hears and replies as NAME=SUBJECT,..., or NAME as for --consumer; repeatable]:NAME=SUBJECT,...: ' \
        '--stock-replies[its workers and services that this call names reply to clients which set no inbox prefix for them, and are trusted to fake nothing there]' \
        '*--publish=[it may publish to PATTERN,... besides; repeatable]:PATTERN: ' \
        '*--subscribe=[it may subscribe to PATTERN,... besides; repeatable]:PATTERN: ' \
        '--file=[take all of it from the JSON in FILE, as bus account show prints it; - is stdin]:FILE:_files' \
        '--if-missing[succeed where it is there already, as asked for]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account_list() {
    _arguments -S \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account_show() {
    _arguments -S \
        '1:NAME: ' \
        '--explain=[say what becomes of SUBJECT, or of "SUBJECT QUEUE" for a subscription in a queue group]:SUBJECT: ' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account_update() {
    _arguments -S \
        '1:NAME: ' \
        '--trust-domain=[it is opened by the certificates of gen-leaf-cert --account in this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '*--identity=[it is opened by certificates with this URI, spiffe://TRUST-DOMAIN/bus/account/NAME; repeatable]:URI: ' \
        '*--emitter=[it sends as the emitter NAME; repeatable]:NAME: ' \
        '*--consumer=[it hears as NAME=SUBJECT,...; without subjects the message boxes of all emitters of that name; repeatable]:NAME=SUBJECT,...: ' \
        '*--worker=[it hears and replies as NAME=SUBJECT,..., or NAME as for --consumer, and each message goes to one of its connections; repeatable]:NAME=SUBJECT,...: ' \
        '*--service=[it hears and replies as NAME=SUBJECT,..., or NAME as for --consumer; repeatable]:NAME=SUBJECT,...: ' \
        '--stock-replies[its workers and services that this call names reply to clients which set no inbox prefix for them, and are trusted to fake nothing there]' \
        '*--publish=[it may publish to PATTERN,... besides; repeatable]:PATTERN: ' \
        '*--subscribe=[it may subscribe to PATTERN,... besides; repeatable]:PATTERN: ' \
        '*--remove=[take PART away: worker=NAME and so on for a role, publish=PATTERN, subscribe=PATTERN or identity=URI; repeatable]:PART: ' \
        '--file=[take all of it from the JSON in FILE, as bus account show prints it; - is stdin]:FILE:_files' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_account_revoke() {
    _arguments -S \
        '1:NAME: ' \
        '(--yes -y)'{--yes,-y}'[do not ask]' \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--password-file=[the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for]:FILE:_files' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '--server=[the registry that is kept as NAME (keyward servers add)]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_config() {
    _arguments -S \
        '--bus-keys=[the keys of the authorizers are in FILE]:FILE:_files' \
        '--cert=[the server'\''s certificate, and those above it if any, in PEM FILE; for a cluster it has to be for servers and clients (--profile peer)]:FILE:_files' \
        '--key=[its private key in PEM FILE, not encrypted]:FILE:_files' \
        '--client-ca=[the CAs in this PEM FILE sign the clients, the authorizers and the servers of the cluster]:FILE:_files' \
        '--listen=[the ADDRESS and port for clients]:ADDRESS: ' \
        '--name=[the server is called NAME]:NAME: ' \
        '--cluster=[it is one of the servers of the cluster NAME]:NAME: ' \
        '--cluster-listen=[the ADDRESS and port for the other servers]:ADDRESS: ' \
        '*--route=[another server of the cluster is at HOST:PORT; may be repeated, and its own may be there too]:HOST:PORT: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_authorize() {
    _arguments -S \
        '--connect=[one of the NATS servers is at URL, as tls://HOST:4222; it tells the others of its cluster]:URL: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--cert=[the authorizer shows the servers the certificate in PEM FILE, and those above it if any, with its key where there is no --key]:FILE:_files' \
        '--key=[its private key in PEM FILE]:FILE:_files' \
        '--key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--bus-keys=[the keys of the authorizers are in FILE]:FILE:_files' \
        '--trust-domain=[take certificates of this TRUST-DOMAIN, such as example.org]:TRUST-DOMAIN: ' \
        '--client-ca=[let in whom the CAs in this PEM FILE signed, and nobody else]:FILE:_files' \
        '*--crl=[a FILE with CRLs of the CA, in PEM or one in DER; may be repeated, and the variable has several with blanks between them]:FILE: ' \
        '--max-per-account=[how many connections N one account may have, on all servers]:N: ' \
        '--metrics-listen=[tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works]:ADDRESS: ' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--log-format=[FORMAT of the log: json or text]:FORMAT: ' \
        '--log-level=[the least LEVEL that is logged: debug, info (with it each client), warn or error]:LEVEL: ' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_emit() {
    _arguments -S \
        '--emitter=[send as the emitter NAME of the account]:NAME: ' \
        '--data=[send this TEXT, and not stdin'\''s lines]:TEXT: ' \
        '--timeout=[give up connecting, and each message, after this TIME]:TIME: ' \
        '--connect=[the NATS server, as tls://HOST:PORT]:tls://HOST:PORT: ' \
        '--client-cert=[show the account'\''s certificate in PEM FILE, with its intermediates and key (gen-leaf-cert --account NAME --pkeycert)]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ca-file=[trust the NATS server below the roots in this PEM FILE and no other]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_consume() {
    _arguments -S \
        '--consumer=[hear as the consumer NAME]:NAME: ' \
        '--worker=[hear as the worker NAME]:NAME: ' \
        '*--subject=[hear this PATTERN, as the role has it; repeatable]:PATTERN: ' \
        '--count=[end after N messages; what has come beyond is lost]:N: ' \
        '--connect=[the NATS server, as tls://HOST:PORT]:tls://HOST:PORT: ' \
        '--client-cert=[show the account'\''s certificate in PEM FILE, with its intermediates and key (gen-leaf-cert --account NAME --pkeycert)]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ca-file=[trust the NATS server below the roots in this PEM FILE and no other]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_request() {
    _arguments -S \
        '--ask=[ask the service of this ACCOUNT]:ACCOUNT: ' \
        '--emitter=[send as the emitter NAME of the account]:NAME: ' \
        '--subject=[send to this SUBJECT, and not to a message box]:SUBJECT: ' \
        '--data=[send this TEXT, and not stdin]:TEXT: ' \
        '--timeout=[give up connecting, and waiting for the reply, after this TIME]:TIME: ' \
        '--connect=[the NATS server, as tls://HOST:PORT]:tls://HOST:PORT: ' \
        '--client-cert=[show the account'\''s certificate in PEM FILE, with its intermediates and key (gen-leaf-cert --account NAME --pkeycert)]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ca-file=[trust the NATS server below the roots in this PEM FILE and no other]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_bus_serve-echo() {
    _arguments -S \
        '--service=[serve as the service NAME]:NAME: ' \
        '--worker=[serve as the worker NAME, which shares the requests with others of that name]:NAME: ' \
        '*--subject=[hear this PATTERN, as the role has it; repeatable]:PATTERN: ' \
        '--connect=[the NATS server, as tls://HOST:PORT]:tls://HOST:PORT: ' \
        '--client-cert=[show the account'\''s certificate in PEM FILE, with its intermediates and key (gen-leaf-cert --account NAME --pkeycert)]:FILE:_files' \
        '--client-key=[its private key in PEM FILE]:FILE:_files' \
        '--client-key-password-file=[the password of an encrypted key is the first line of FILE, - is stdin]:FILE:_files' \
        '--ca-file=[trust the NATS server below the roots in this PEM FILE and no other]:FILE:_files' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_demo() {
    _arguments -S \
        '--keep=[do it in DIR, a new or empty folder, and leave the files]:DIR:_files -/' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_doctor() {
    _arguments -S \
        '(-as --as)'{-as,--as}'=[log in as NAME]:NAME: ' \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '--within=[what ends in this TIME is told of: 30 or 30d, 12w, 1y, until 2027-01-01]:TIME: ' \
        '--url=[the registry'\''s URL; a path in it does not count]:URL: ' \
        '*--server=[a registry that is kept as NAME (keyward servers add); repeatable]:NAME: ' \
        '--ca-file=[trust the roots in this PEM FILE and no other]:FILE:_files' \
        '--pin=[trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo]:sha256:HEX: ' \
        '--allow-http[plain http to another machine: everything sent can be read on the way]' \
        '--timeout=[give up after this TIME]:TIME: ' \
        '(--quiet -q)'{--quiet,-q}'[no notes on stderr]' \
        '--json[print data, and errors on stderr, as JSON]' \
        '--data-dir=[the data DIR]:DIR:_files -/' \
        '--store=[what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database]:STORE: ' \
        '--server-key=[the server'\''s NaCl key pair is in FILE]:FILE:_files' \
        '--audit-key=[the key that signs the audit log is in FILE]:FILE:_files' \
        '--listen=[the ADDRESS and port that it serves]:ADDRESS: ' \
        '*--name=[a NAME or address that its certificate must have; repeatable]:NAME: ' \
        '--tls-cert=[the certificate chain in PEM FILE that it shows]:FILE:_files' \
        '--tls-key=[its private key in PEM FILE]:FILE:_files' \
        '--max-connections=[how many connections N may be open]:N: ' \
        '--min-free=[tell of less than MIB free on the disk of --data-dir; less than a tenth is a fault]:MIB: ' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_completion() {
    _arguments -S \
        '1:choice:(bash zsh fish powershell)' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_version() {
    _arguments -S \
        '--keyfile=[the user key FILE]:FILE:_files' \
        '--json[print data, and errors on stderr, as JSON]' \
        '(--help -h)'{--help,-h}'[show this help]'
}

__keyward_help() {
    _arguments -S \
        '1:choice:(keygen getkey addkey listkeys delkey rotatekey prune getserverkey login seal open servers gen-root-cert gen-intermediate-cert gen-leaf-cert gen-csr sign-csr renew-cert show-cert verify-cert export-cert list-certs revoke-cert gen-crl ledger check-expiry plan apply ensure serve user backup restore store audit serverkey relay keyexchange bus demo doctor completion version)'
}

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
