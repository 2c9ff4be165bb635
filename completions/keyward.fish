# The completion of keyward for fish 3.1 and later, made by `make generate`.
# keyward completion fish >~/.config/fish/completions/keyward.fish

# Prints the command that the line calls, then how many words stand behind it.
function __keyward_call
    set -l words (commandline -opc)
    set -l path keyward
    set -l behind 0
    for word in $words[2..-1]
        switch "$path $word"
            case 'keyward keygen' \
                'keyward getkey' \
                'keyward addkey' \
                'keyward listkeys' \
                'keyward delkey' \
                'keyward rotatekey' \
                'keyward prune' \
                'keyward getserverkey' \
                'keyward login' \
                'keyward seal' \
                'keyward open' \
                'keyward servers' \
                'keyward gen-root-cert' \
                'keyward gen-intermediate-cert' \
                'keyward gen-leaf-cert' \
                'keyward gen-csr' \
                'keyward sign-csr' \
                'keyward renew-cert' \
                'keyward show-cert' \
                'keyward verify-cert' \
                'keyward export-cert' \
                'keyward list-certs' \
                'keyward revoke-cert' \
                'keyward gen-crl' \
                'keyward ledger' \
                'keyward check-expiry' \
                'keyward plan' \
                'keyward apply' \
                'keyward ensure' \
                'keyward serve' \
                'keyward user' \
                'keyward backup' \
                'keyward restore' \
                'keyward store' \
                'keyward audit' \
                'keyward serverkey' \
                'keyward relay' \
                'keyward demo' \
                'keyward doctor' \
                'keyward completion' \
                'keyward version' \
                'keyward help'
                set path "$path $word"
                set behind 0
            case 'keyward servers add' \
                'keyward servers list' \
                'keyward servers remove'
                set path "$path $word"
                set behind 0
            case 'keyward ledger verify' \
                'keyward ledger head' \
                'keyward ledger import' \
                'keyward ledger export'
                set path "$path $word"
                set behind 0
            case 'keyward user add' \
                'keyward user list' \
                'keyward user passwd' \
                'keyward user delete'
                set path "$path $word"
                set behind 0
            case 'keyward store copy' \
                'keyward store show'
                set path "$path $word"
                set behind 0
            case 'keyward audit list' \
                'keyward audit verify'
                set path "$path $word"
                set behind 0
            case 'keyward serverkey show' \
                'keyward serverkey rotate'
                set path "$path $word"
                set behind 0
            case 'keyward relay serve' \
                'keyward relay status'
                set path "$path $word"
                set behind 0
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
# A link named like one of the scripts is that command.
for link in gen-root-cert gen-intermediate-cert gen-leaf-cert
    complete -c $link -w "keyward $link"
end

complete -c keyward -n '__keyward_at keyward' -a keygen -d 'make a NaCl key pair in the user key file'
complete -c keyward -n '__keyward_at keyward' -a getkey -d 'print the public key of the user key file, or the keys of another user'
complete -c keyward -n '__keyward_at keyward' -a addkey -d 'register a public key with one or more registries'
complete -c keyward -n '__keyward_at keyward' -a listkeys -d 'list the registered keys'
complete -c keyward -n '__keyward_at keyward' -a delkey -d 'delete a registered key'
complete -c keyward -n '__keyward_at keyward' -a rotatekey -d 'put a new key in the place of the old one, wherever it is registered'
complete -c keyward -n '__keyward_at keyward' -a prune -d 'delete the expired keys of all users (administrator)'
complete -c keyward -n '__keyward_at keyward' -a getserverkey -d 'print the registry\'s public key'
complete -c keyward -n '__keyward_at keyward' -a login -d 'get a token, by password or with the key'
complete -c keyward -n '__keyward_at keyward' -a seal -d 'encrypt a file or stream to another user'
complete -c keyward -n '__keyward_at keyward' -a open -d 'decrypt a file that another user sealed, and tell who did'
complete -c keyward -n '__keyward_at keyward' -a servers -d 'keep registries under short names, for --server'
complete -c keyward -n '__keyward_at keyward' -a gen-root-cert -d 'make a root certificate and its key'
complete -c keyward -n '__keyward_at keyward' -a gen-intermediate-cert -d 'make an intermediate certificate and its key'
complete -c keyward -n '__keyward_at keyward' -a gen-leaf-cert -d 'make a leaf certificate and its key: for a server, a client or a peer'
complete -c keyward -n '__keyward_at keyward' -a gen-csr -d 'make a key and a certificate signing request for a CA elsewhere'
complete -c keyward -n '__keyward_at keyward' -a sign-csr -d 'sign somebody else\'s request: the names that are allowed, no more'
complete -c keyward -n '__keyward_at keyward' -a renew-cert -d 'renew the certificates that end soon, each from itself alone'
complete -c keyward -n '__keyward_at keyward' -a show-cert -d 'show the certificates and CRLs in a file or of a server'
complete -c keyward -n '__keyward_at keyward' -a verify-cert -d 'tell whether certificates can be trusted, and if not, why'
complete -c keyward -n '__keyward_at keyward' -a export-cert -d 'write a certificate in the forms that other programs read'
complete -c keyward -n '__keyward_at keyward' -a list-certs -d 'list what a CA issued, and what has become of it'
complete -c keyward -n '__keyward_at keyward' -a revoke-cert -d 'revoke a certificate, and sign the list that says so'
complete -c keyward -n '__keyward_at keyward' -a gen-crl -d 'sign a list of the certificates that a CA revoked'
complete -c keyward -n '__keyward_at keyward' -a ledger -d 'check, import and export what a CA keeps of its certificates'
complete -c keyward -n '__keyward_at keyward' -a check-expiry -d 'tell which certificates end soon, roots included'
complete -c keyward -n '__keyward_at keyward' -a plan -d 'tell what apply would do for a manifest, and why'
complete -c keyward -n '__keyward_at keyward' -a apply -d 'make, renew and mend certificates as a manifest says'
complete -c keyward -n '__keyward_at keyward' -a ensure -d 'make, renew or leave one certificate, as it needs'
complete -c keyward -n '__keyward_at keyward' -a serve -d 'run the registry: HTTPS REST API v3 over SQLite or PostgreSQL'
complete -c keyward -n '__keyward_at keyward' -a user -d 'add, list and delete the registry\'s users, change passwords'
complete -c keyward -n '__keyward_at keyward' -a backup -d 'write what the registry keeps to a file, also while it serves'
complete -c keyward -n '__keyward_at keyward' -a restore -d 'put a backup in the place of what the registry keeps'
complete -c keyward -n '__keyward_at keyward' -a store -d 'look at what the registry keeps, and move it to another database'
complete -c keyward -n '__keyward_at keyward' -a audit -d 'read and check the registry\'s audit log'
complete -c keyward -n '__keyward_at keyward' -a serverkey -d 'look at the server\'s key files, and replace the key'
complete -c keyward -n '__keyward_at keyward' -a relay -d 'let two peers meet over websockets with mutual TLS'
complete -c keyward -n '__keyward_at keyward' -a demo -d 'show the whole story in a temporary folder'
complete -c keyward -n '__keyward_at keyward' -a doctor -d 'look for what is wrong, and say what mends it'
complete -c keyward -n '__keyward_at keyward' -a completion -d 'print the completion script of a shell'
complete -c keyward -n '__keyward_at keyward' -a version -d 'print the version; with --json the places in use too'
complete -c keyward -n '__keyward_at keyward' -a help -d 'show the help of a command'
complete -c keyward -n '__keyward_in keyward' -l version -d 'print the version'
complete -c keyward -n '__keyward_in keyward' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward keygen' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward keygen' -l force -s f -d 'replace the pair, and keep the old one as a dated backup'
complete -c keyward -n '__keyward_in keyward keygen' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward keygen' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward keygen' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward getkey' -s u -l user -x -d 'the keys of user NAME, from the registry'
complete -c keyward -n '__keyward_in keyward getkey' -l trust-new -d 'trust keys that came after the first time (with -u)'
complete -c keyward -n '__keyward_in keyward getkey' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward getkey' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward getkey' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward getkey' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward getkey' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward getkey' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward getkey' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward getkey' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward getkey' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward getkey' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward getkey' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward getkey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward addkey' -l kv -o kv -x -d 'the public KEY'
complete -c keyward -n '__keyward_in keyward addkey' -l kd -o kd -x -d 'its DESCRIPTION: one line'
complete -c keyward -n '__keyward_in keyward addkey' -l expires -x -d 'it logs in for this TIME: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward addkey' -l label -x -d 'a LABEL of it, as ci or host=web1; repeatable'
complete -c keyward -n '__keyward_in keyward addkey' -s u -l user -x -d 'register it for user NAME (administrator)'
complete -c keyward -n '__keyward_in keyward addkey' -l if-missing -d 'succeed where the key is there already'
complete -c keyward -n '__keyward_in keyward addkey' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward addkey' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward addkey' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward addkey' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward addkey' -l server -x -d 'a registry that is kept as NAME (keyward servers add); repeatable'
complete -c keyward -n '__keyward_in keyward addkey' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward addkey' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward addkey' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward addkey' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward addkey' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward addkey' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward addkey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward listkeys' -s a -l all -d 'the keys of all users (administrator)'
complete -c keyward -n '__keyward_in keyward listkeys' -s u -l user -x -d 'the keys of user NAME (administrator)'
complete -c keyward -n '__keyward_in keyward listkeys' -l long -s l -d 'print a table with all that is known of each key'
complete -c keyward -n '__keyward_in keyward listkeys' -l stale -x -d 'only keys neither used nor made for this TIME: 90 or 90d, 12h, 12w, 1y'
complete -c keyward -n '__keyward_in keyward listkeys' -l expired -d 'only keys that have expired'
complete -c keyward -n '__keyward_in keyward listkeys' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward listkeys' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward listkeys' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward listkeys' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward listkeys' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward listkeys' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward listkeys' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward listkeys' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward listkeys' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward listkeys' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward listkeys' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward delkey' -l kv -o kv -x -d 'the public KEY'
complete -c keyward -n '__keyward_in keyward delkey' -l fingerprint -x -d 'the key\'s FINGERPRINT, or its first hex digits, 8 or more'
complete -c keyward -n '__keyward_in keyward delkey' -l kd -o kd -x -d 'the key\'s DESCRIPTION, all of it'
complete -c keyward -n '__keyward_in keyward delkey' -s u -l user -x -d 'delete a key of user NAME (administrator)'
complete -c keyward -n '__keyward_in keyward delkey' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward delkey' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward delkey' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward delkey' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward delkey' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward delkey' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward delkey' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward delkey' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward delkey' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward delkey' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward delkey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward rotatekey' -l overlap -x -d 'the old key logs in for this TIME more: 12h, 7d, 2w; 0 deletes it'
complete -c keyward -n '__keyward_in keyward rotatekey' -l expires -x -d 'the new key logs in for this TIME: 90 or 90d, 12h, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward rotatekey' -l dry-run -d 'say what would be done, and do nothing'
complete -c keyward -n '__keyward_in keyward rotatekey' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward rotatekey' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward rotatekey' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward rotatekey' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward rotatekey' -l server -x -d 'a registry that is kept as NAME (keyward servers add); repeatable'
complete -c keyward -n '__keyward_in keyward rotatekey' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward rotatekey' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward rotatekey' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward rotatekey' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward rotatekey' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward rotatekey' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward rotatekey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward prune' -l older-than -x -d 'only keys that expired this TIME ago or earlier: 30 or 30d, 12h, 12w, 1y'
complete -c keyward -n '__keyward_in keyward prune' -l dry-run -d 'list the keys, and delete nothing'
complete -c keyward -n '__keyward_in keyward prune' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward prune' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward prune' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward prune' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward prune' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward prune' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward prune' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward prune' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward prune' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward prune' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward prune' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward getserverkey' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward getserverkey' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward getserverkey' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward getserverkey' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward getserverkey' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward getserverkey' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward getserverkey' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward getserverkey' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward getserverkey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward login' -l with-key -d 'log in with the user key file\'s private key'
complete -c keyward -n '__keyward_in keyward login' -l revoke -d 'end the token in KEYWARD_TOKEN, else on stdin'
complete -c keyward -n '__keyward_in keyward login' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward login' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward login' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward login' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward login' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward login' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward login' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward login' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward login' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward login' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward login' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward login' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward seal' -s u -l user -x -d 'seal to user NAME'
complete -c keyward -n '__keyward_in keyward seal' -l output -s o -r -F -d 'write to FILE, - is stdout'
complete -c keyward -n '__keyward_in keyward seal' -l offline -d 'ask no registry: take the keys that were trusted before'
complete -c keyward -n '__keyward_in keyward seal' -l force -s f -d 'replace a file that is there'
complete -c keyward -n '__keyward_in keyward seal' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward seal' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward seal' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward seal' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward seal' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward seal' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward seal' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward seal' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward seal' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward seal' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward seal' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward open' -l from -x -d 'it must be sealed by user NAME'
complete -c keyward -n '__keyward_in keyward open' -l output -s o -r -F -d 'write to FILE, - is stdout'
complete -c keyward -n '__keyward_in keyward open' -l offline -d 'ask no registry: the sender\'s key must have been trusted before'
complete -c keyward -n '__keyward_in keyward open' -l force -s f -d 'replace a file that is there'
complete -c keyward -n '__keyward_in keyward open' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward open' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward open' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward open' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward open' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward open' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward open' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward open' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward open' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward open' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward open' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward servers' -a add -d 'keep a registry under a name'
complete -c keyward -n '__keyward_at keyward servers' -a list -d 'list the registries that are kept'
complete -c keyward -n '__keyward_at keyward servers' -a remove -d 'forget a registry'
complete -c keyward -n '__keyward_in keyward servers' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward servers add' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward servers add' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward servers add' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward servers add' -l as -o as -x -d 'log in there as NAME'
complete -c keyward -n '__keyward_in keyward servers add' -l force -s f -d 'replace the registry of that name'
complete -c keyward -n '__keyward_in keyward servers add' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward servers add' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward servers add' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward servers list' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward servers list' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward servers list' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward servers remove' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward servers remove' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward servers remove' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward gen-root-cert' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l ledger -r -F -d 'its own ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l profile -x -a 'peer server client micronets' -d 'what it is for'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l days -x -d 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l expiration-in-days -x -d 'the same in DAYS, as the Micronets scripts have it'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'its key'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l key-password-file -r -F -d 'encrypt the new key with the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l encrypt-key -d 'encrypt the new key with a password that is asked for at the terminal'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l path-len -x -d 'how many CAs may stand below it: N'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l permit-dns -x -d 'it may sign for this DOMAIN and what is under it; repeatable'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l permit-ip -x -d 'it may sign for the addresses in this CIDR; repeatable'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l dry-run -d 'check everything, say what would be written, and write nothing'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward gen-root-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l clamp -d 'end with the issuer where the lifetime would be longer'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l profile -x -a 'peer server client micronets' -d 'what it is for'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l days -x -d 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l expiration-in-days -x -d 'the same in DAYS, as the Micronets scripts have it'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'its key'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l key-password-file -r -F -d 'encrypt the new key with the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l encrypt-key -d 'encrypt the new key with a password that is asked for at the terminal'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l path-len -x -d 'how many CAs may stand below it: N'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l permit-dns -x -d 'it may sign for this DOMAIN and what is under it; repeatable'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l permit-ip -x -d 'it may sign for the addresses in this CIDR; repeatable'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l dry-run -d 'check everything, say what would be written, and write nothing'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward gen-intermediate-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l clamp -d 'end with the issuer where the lifetime would be longer'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l profile -x -a 'peer server client micronets' -d 'what it is for'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l days -x -d 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l expiration-in-days -x -d 'the same in DAYS, as the Micronets scripts have it'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'its key'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l key-password-file -r -F -d 'encrypt the new key with the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l encrypt-key -d 'encrypt the new key with a password that is asked for at the terminal'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l san -x -d 'a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l pkeycert -d 'write certificate, intermediates and key in one file too'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l dry-run -d 'check everything, say what would be written, and write nothing'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward gen-leaf-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward gen-csr' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward gen-csr' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward gen-csr' -l san -x -d 'a NAME to ask for: DNS, IP, URI or e-mail, told apart by form; repeatable'
complete -c keyward -n '__keyward_in keyward gen-csr' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'its key'
complete -c keyward -n '__keyward_in keyward gen-csr' -l key -r -F -d 'ask with the private key in PEM FILE, and make none'
complete -c keyward -n '__keyward_in keyward gen-csr' -l key-password-file -r -F -d 'encrypt the new key with the first line of FILE, or open that of --key; - is stdin'
complete -c keyward -n '__keyward_in keyward gen-csr' -l encrypt-key -d 'encrypt the new key with a password that is asked for at the terminal'
complete -c keyward -n '__keyward_in keyward gen-csr' -l dry-run -d 'check everything, say what would be written, and write nothing'
complete -c keyward -n '__keyward_in keyward gen-csr' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward gen-csr' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward gen-csr' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward gen-csr' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward sign-csr' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward sign-csr' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward sign-csr' -l allow -x -d 'sign names as this PATTERN says: a name, *.example.org (one label), .example.org (any), an IP or CIDR, an e-mail address or @example.org, a URI and what is below; repeatable'
complete -c keyward -n '__keyward_in keyward sign-csr' -l san -x -d 'sign this NAME instead of those of the request; repeatable'
complete -c keyward -n '__keyward_in keyward sign-csr' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward sign-csr' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward sign-csr' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward sign-csr' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward sign-csr' -l clamp -d 'end with the issuer where the lifetime would be longer'
complete -c keyward -n '__keyward_in keyward sign-csr' -l profile -x -a 'peer server client micronets' -d 'what it is for'
complete -c keyward -n '__keyward_in keyward sign-csr' -l days -x -d 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward sign-csr' -l expiration-in-days -x -d 'the same in DAYS, as the Micronets scripts have it'
complete -c keyward -n '__keyward_in keyward sign-csr' -l dry-run -d 'check everything, say what would be signed, and write nothing'
complete -c keyward -n '__keyward_in keyward sign-csr' -l yes -s y -d 'sign all names of the request, without a question'
complete -c keyward -n '__keyward_in keyward sign-csr' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward sign-csr' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward sign-csr' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward sign-csr' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward renew-cert' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward renew-cert' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward renew-cert' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward renew-cert' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward renew-cert' -l clamp -d 'end with the issuer where the lifetime would be longer'
complete -c keyward -n '__keyward_in keyward renew-cert' -l within -x -d 'renew what ends in this TIME: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired; the default counts where that is nearly the whole lifetime'
complete -c keyward -n '__keyward_in keyward renew-cert' -l now -d 'renew however long it has still to go'
complete -c keyward -n '__keyward_in keyward renew-cert' -l days -x -d 'the new LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward renew-cert' -l rekey -d 'make a new key of the same type, encrypted as the old one was'
complete -c keyward -n '__keyward_in keyward renew-cert' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'with --rekey, a new key of this type'
complete -c keyward -n '__keyward_in keyward renew-cert' -l key -r -F -d 'the certificate\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward renew-cert' -l key-password-file -r -F -d 'the password of an encrypted key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward renew-cert' -l exec -x -d 'run COMMAND by the shell after each renewal'
complete -c keyward -n '__keyward_in keyward renew-cert' -l exec-timeout -x -d 'end the command after this TIME'
complete -c keyward -n '__keyward_in keyward renew-cert' -l dry-run -d 'say what would be renewed, and write and run nothing'
complete -c keyward -n '__keyward_in keyward renew-cert' -l force -s f -d 'sign below another CA than the old one\'s, renew what is revoked, or give a root a new key'
complete -c keyward -n '__keyward_in keyward renew-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward renew-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward renew-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward show-cert' -l text -d 'print everything that is in each, as openssl does; of a CRL what is revoked'
complete -c keyward -n '__keyward_in keyward show-cert' -l pem -d 'print the certificates and CRLs as PEM'
complete -c keyward -n '__keyward_in keyward show-cert' -l password-file -r -F -d 'the password of PKCS#12 is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward show-cert' -l timeout -x -d 'give a server up after this TIME'
complete -c keyward -n '__keyward_in keyward show-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward show-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward show-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward verify-cert' -l ca-file -x -d 'trust the roots in this PEM FILE and no other; may be repeated'
complete -c keyward -n '__keyward_in keyward verify-cert' -l untrusted -x -d 'a FILE with intermediates; may be repeated'
complete -c keyward -n '__keyward_in keyward verify-cert' -l name -x -d 'the certificate must be for this NAME: a DNS name, IP address, e-mail address or URI'
complete -c keyward -n '__keyward_in keyward verify-cert' -l for -x -d 'it must be for this USE: server, client or any'
complete -c keyward -n '__keyward_in keyward verify-cert' -l at -o at -x -d 'verify for this TIME and not for now: 2027-01-31 or 2027-01-31T12:00:00Z'
complete -c keyward -n '__keyward_in keyward verify-cert' -l crl -x -d 'a FILE with CRLs, in PEM or one in DER; may be repeated'
complete -c keyward -n '__keyward_in keyward verify-cert' -l crl-check-all -d 'each certificate of the chain must be covered by a CRL'
complete -c keyward -n '__keyward_in keyward verify-cert' -l strict -d 'hold the rules that verifiers let pass'
complete -c keyward -n '__keyward_in keyward verify-cert' -l password-file -r -F -d 'the password of PKCS#12 is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward verify-cert' -l timeout -x -d 'give a server up after this TIME'
complete -c keyward -n '__keyward_in keyward verify-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward verify-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward verify-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward export-cert' -l to -o to -x -d 'the FORMATS, with commas between them: fullchain, chain, pkeycert, pkcs12, pkcs12-legacy, truststore, der, k8s'
complete -c keyward -n '__keyward_in keyward export-cert' -l key -r -F -d 'the certificate\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward export-cert' -l ca-key -d 'let a format hold the private key of a CA'
complete -c keyward -n '__keyward_in keyward export-cert' -l key-password-file -r -F -d 'the password of an encrypted key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward export-cert' -l ca-certfile -x -d 'the certificates of its issuers in PEM FILE; repeatable'
complete -c keyward -n '__keyward_in keyward export-cert' -l cert-basename -r -F -d 'the files are B.fullchain.pem and so on'
complete -c keyward -n '__keyward_in keyward export-cert' -l password-file -r -F -d 'the password to set on PKCS#12 is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward export-cert' -l empty-password -d 'set the empty password on PKCS#12: who has the file has the key'
complete -c keyward -n '__keyward_in keyward export-cert' -l namespace -x -d 'the NAMESPACE of the Kubernetes Secret'
complete -c keyward -n '__keyward_in keyward export-cert' -l out -s o -x -d '- writes one format to stdout, and no file'
complete -c keyward -n '__keyward_in keyward export-cert' -l dry-run -d 'check everything, say what would be written, and write nothing'
complete -c keyward -n '__keyward_in keyward export-cert' -l force-overwrite -l force -s f -d 'replace the files that are there'
complete -c keyward -n '__keyward_in keyward export-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward export-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward export-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward list-certs' -l state -x -a 'valid revoked expired superseded' -d 'only those that are ; repeatable'
complete -c keyward -n '__keyward_in keyward list-certs' -l within -x -d 'only those that end in this TIME and have not ended: 30 or 30d, 12w, 1y, until 2027-01-01'
complete -c keyward -n '__keyward_in keyward list-certs' -l name -x -d 'only those with a name, or a subject\'s CN or O, like this GLOB'
complete -c keyward -n '__keyward_in keyward list-certs' -l serial -x -d 'only the one with this serial NUMBER in hex'
complete -c keyward -n '__keyward_in keyward list-certs' -l since -x -d 'only those issued since this DAY: 2026-11-22'
complete -c keyward -n '__keyward_in keyward list-certs' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward list-certs' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward list-certs' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward revoke-cert' -l reason -x -a 'unspecified keyCompromise caCompromise affiliationChanged superseded cessationOfOperation certificateHold privilegeWithdrawn aACompromise' -d 'why, as RFC 5280 has it'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l release -d 'end a certificateHold'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l all -d 'all certificates of that name'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l same-key -d 'all certificates with its key besides, in the same list'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l if-missing -d 'succeed where it is revoked already; the list is written all the same'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l dry-run -d 'say what would be revoked, and write nothing'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l yes -s y -d 'do not ask'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l days -x -d 'the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l out -r -F -d 'write the list to FILE, as DER if it ends in .der, else as PEM'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward revoke-cert' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward gen-crl' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-crl' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward gen-crl' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward gen-crl' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward gen-crl' -l days -x -d 'the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01'
complete -c keyward -n '__keyward_in keyward gen-crl' -l out -r -F -d 'write the list to FILE, as DER if it ends in .der, else as PEM'
complete -c keyward -n '__keyward_in keyward gen-crl' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward gen-crl' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward gen-crl' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward ledger' -a verify -d 'check every line of a ledger'
complete -c keyward -n '__keyward_at keyward ledger' -a head -d 'print the number and the hash of the last line'
complete -c keyward -n '__keyward_at keyward ledger' -a import -d 'take over the index.txt of openssl ca or easy-rsa'
complete -c keyward -n '__keyward_at keyward ledger' -a export -d 'print the ledger as another tool\'s database'
complete -c keyward -n '__keyward_in keyward ledger' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward ledger verify' -l ca-certfile -r -F -d 'the CA\'s certificate in FILE'
complete -c keyward -n '__keyward_in keyward ledger verify' -l head -x -d 'the HEAD that `keyward ledger head` printed: it must still be in the ledger'
complete -c keyward -n '__keyward_in keyward ledger verify' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward ledger verify' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward ledger verify' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward ledger head' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward ledger head' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward ledger head' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward ledger import' -l certs -x -a '(__fish_complete_directories)' -d 'the FOLDER with the certificates'
complete -c keyward -n '__keyward_in keyward ledger import' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward ledger import' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward ledger import' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward ledger import' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward ledger import' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward ledger import' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward ledger import' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward ledger export' -l format -x -d 'openssl, which is all there is'
complete -c keyward -n '__keyward_in keyward ledger export' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward ledger export' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward check-expiry' -l within -x -d 'what ends in this TIME is due: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired'
complete -c keyward -n '__keyward_in keyward check-expiry' -l chart -d 'print how many end in each of the next twelve months'
complete -c keyward -n '__keyward_in keyward check-expiry' -l prometheus -d 'print the ends as metrics in Prometheus\'s text format'
complete -c keyward -n '__keyward_in keyward check-expiry' -l password-file -r -F -d 'the password of PKCS#12 is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward check-expiry' -l timeout -x -d 'give a server up after this TIME'
complete -c keyward -n '__keyward_in keyward check-expiry' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward check-expiry' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward check-expiry' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward plan' -l all -d 'list what stays as it is too'
complete -c keyward -n '__keyward_in keyward plan' -l schema -d 'print the manifest\'s JSON schema, for editors'
complete -c keyward -n '__keyward_in keyward plan' -l parallel -x -d 'look at and make N certificates at a time'
complete -c keyward -n '__keyward_in keyward plan' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward plan' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward plan' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward apply' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward apply' -l parallel -x -d 'look at and make N certificates at a time'
complete -c keyward -n '__keyward_in keyward apply' -l dry-run -d 'do as plan does: print what would be done, and write nothing'
complete -c keyward -n '__keyward_in keyward apply' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward apply' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward apply' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward ensure' -l cert-basename -r -F -d 'the files are B.key.pem and so on'
complete -c keyward -n '__keyward_in keyward ensure' -l subject-org-name -x -d 'the subject\'s ORGANIZATION'
complete -c keyward -n '__keyward_in keyward ensure' -l ca-certfile -r -F -d 'the issuer\'s certificate, and those above it if any, in PEM FILE'
complete -c keyward -n '__keyward_in keyward ensure' -l ca-keyfile -r -F -d 'the issuer\'s private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward ensure' -l ca-key-password-file -r -F -d 'the password of an encrypted CA key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward ensure' -l ledger -r -F -d 'the issuer\'s ledger FILE, which notes what is signed; none keeps none'
complete -c keyward -n '__keyward_in keyward ensure' -l clamp -d 'end with the issuer where the lifetime would be longer'
complete -c keyward -n '__keyward_in keyward ensure' -l profile -x -a 'peer server client micronets' -d 'what it is for'
complete -c keyward -n '__keyward_in keyward ensure' -l days -x -d 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
complete -c keyward -n '__keyward_in keyward ensure' -l expiration-in-days -x -d 'the same in DAYS, as the Micronets scripts have it'
complete -c keyward -n '__keyward_in keyward ensure' -l key-type -x -a 'p256 p384 ed25519 rsa2048 rsa3072 rsa4096' -d 'its key'
complete -c keyward -n '__keyward_in keyward ensure' -l san -x -d 'a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable'
complete -c keyward -n '__keyward_in keyward ensure' -l renew-within -x -d 'renew what ends in this TIME: 30 or 30d, 12w, 1y'
complete -c keyward -n '__keyward_in keyward ensure' -l rekey -d 'make a new key at each renewal'
complete -c keyward -n '__keyward_in keyward ensure' -l output -x -a 'fullchain chain pkeycert pkcs12 pkcs12-legacy truststore der k8s' -d 'a file to make besides; repeatable'
complete -c keyward -n '__keyward_in keyward ensure' -l key-password-file -r -F -d 'encrypt the key, and PKCS#12, with the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward ensure' -l dry-run -d 'say what would be done, and write nothing'
complete -c keyward -n '__keyward_in keyward ensure' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward ensure' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward ensure' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward serve' -l listen -x -d 'the ADDRESS and port; port 0 takes a free one; a socket that systemd passes on takes its place'
complete -c keyward -n '__keyward_in keyward serve' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward serve' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward -n '__keyward_in keyward serve' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward serve' -l audit-key -r -F -d 'the key that signs the audit log is in FILE'
complete -c keyward -n '__keyward_in keyward serve' -l name -x -d 'a NAME or address for the server\'s certificate beside localhost and loopback, repeatable; other names make a new certificate for the same key'
complete -c keyward -n '__keyward_in keyward serve' -l tls-cert -r -F -d 'a certificate chain in PEM FILE, in place of the registry\'s own'
complete -c keyward -n '__keyward_in keyward serve' -l tls-key -r -F -d 'its private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward serve' -l tls-key-password-file -r -F -d 'the password of an encrypted --tls-key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward serve' -l admin-password-file -r -F -d 'at the first start, the first line of FILE is the admin\'s password; - is stdin'
complete -c keyward -n '__keyward_in keyward serve' -l project -x -d 'the project NAME that the API tells'
complete -c keyward -n '__keyward_in keyward serve' -l max-connections -x -d 'how many connections N may be open, a quarter of them from one address'
complete -c keyward -n '__keyward_in keyward serve' -l metrics-listen -x -d 'tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics'
complete -c keyward -n '__keyward_in keyward serve' -l log-format -x -d 'FORMAT of the log: json or text'
complete -c keyward -n '__keyward_in keyward serve' -l log-level -x -d 'the least LEVEL that is logged: debug, info (with it each request), warn or error'
complete -c keyward -n '__keyward_in keyward serve' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward user' -a add -d 'add a user'
complete -c keyward -n '__keyward_at keyward user' -a list -d 'list the users'
complete -c keyward -n '__keyward_at keyward user' -a passwd -d 'change a user\'s password'
complete -c keyward -n '__keyward_at keyward user' -a delete -d 'delete a user with all keys'
complete -c keyward -n '__keyward_in keyward user' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward user add' -l new-password-file -r -F -d 'the new password is the first line of FILE, - is stdin (after the caller\'s own); else asked for'
complete -c keyward -n '__keyward_in keyward user add' -l admin -d 'make the user an administrator'
complete -c keyward -n '__keyward_in keyward user add' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward user add' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward user add' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward user add' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward user add' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward user add' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward user add' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward user add' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward user add' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward user add' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward user add' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward user list' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward user list' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward user list' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward user list' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward user list' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward user list' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward user list' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward user list' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward user list' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward user list' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward user list' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward user passwd' -l new-password-file -r -F -d 'the new password is the first line of FILE, - is stdin (after the caller\'s own); else asked for'
complete -c keyward -n '__keyward_in keyward user passwd' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward user passwd' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward user passwd' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward user passwd' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward user passwd' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward user passwd' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward user passwd' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward user passwd' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward user passwd' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward user passwd' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward user passwd' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward user delete' -l yes -s y -d 'do not ask'
complete -c keyward -n '__keyward_in keyward user delete' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward user delete' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward user delete' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward user delete' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward user delete' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward user delete' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward user delete' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward user delete' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward user delete' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward user delete' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward user delete' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward backup' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward -n '__keyward_in keyward backup' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward backup' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward backup' -l audit-key -r -F -d 'the key that signs the audit log is in FILE'
complete -c keyward -n '__keyward_in keyward backup' -l with-keys -d 'the private keys and certificates of the registry too'
complete -c keyward -n '__keyward_in keyward backup' -l force -s f -d 'replace FILE'
complete -c keyward -n '__keyward_in keyward backup' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward backup' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward backup' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward restore' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward -n '__keyward_in keyward restore' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward restore' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward restore' -l audit-key -r -F -d 'the key that signs the audit log is in FILE'
complete -c keyward -n '__keyward_in keyward restore' -l replace -d 'do not ask: replace what is in the store'
complete -c keyward -n '__keyward_in keyward restore' -l with-keys -d 'the private keys and certificates of the registry too'
complete -c keyward -n '__keyward_in keyward restore' -l force -s f -d 'with --with-keys, replace key files that are there'
complete -c keyward -n '__keyward_in keyward restore' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward restore' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward restore' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward store' -a copy -d 'copy a store to another'
complete -c keyward -n '__keyward_at keyward store' -a show -d 'tell what a store holds'
complete -c keyward -n '__keyward_in keyward store' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward store copy' -l from -x -d 'copy this STORE, as `serve --store` has it'
complete -c keyward -n '__keyward_in keyward store copy' -l to -o to -x -d 'to this STORE'
complete -c keyward -n '__keyward_in keyward store copy' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward store copy' -l audit-key -r -F -d 'the key that signs the audit log is in FILE'
complete -c keyward -n '__keyward_in keyward store copy' -l replace -d 'replace what is in the target'
complete -c keyward -n '__keyward_in keyward store copy' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward store copy' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward store copy' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward store show' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward -n '__keyward_in keyward store show' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward store show' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward store show' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward store show' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward audit' -a list -d 'print the records (administrator)'
complete -c keyward -n '__keyward_at keyward audit' -a verify -d 'check the whole log (administrator), or a file of it'
complete -c keyward -n '__keyward_in keyward audit' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward audit list' -l after -x -d 'only records after number SEQ'
complete -c keyward -n '__keyward_in keyward audit list' -l since -x -d 'only records of the last TIME: 24h, 7 or 7d, 2w, 1y'
complete -c keyward -n '__keyward_in keyward audit list' -l user -s u -x -d 'only records by or about user NAME'
complete -c keyward -n '__keyward_in keyward audit list' -l what -x -d 'only records of this ACT: user.add, user.password, user.delete, key.add, key.expiry, key.delete, key.prune, serverkey.set, store.restore, login.refused; or of a kind of them, as key'
complete -c keyward -n '__keyward_in keyward audit list' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward audit list' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward audit list' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward audit list' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward audit list' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward audit list' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward audit list' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward audit list' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward audit list' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward audit list' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward audit list' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward audit verify' -l audit-key -x -d 'the audit key\'s public key in PEM FILE, audit-key.pub of the data folder; repeatable, where it was replaced'
complete -c keyward -n '__keyward_in keyward audit verify' -l head -x -d 'the HEAD that an earlier audit verify printed: it must be in the log'
complete -c keyward -n '__keyward_in keyward audit verify' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward audit verify' -l password-file -r -F -d 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
complete -c keyward -n '__keyward_in keyward audit verify' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward audit verify' -l server -x -d 'the registry that is kept as NAME (keyward servers add)'
complete -c keyward -n '__keyward_in keyward audit verify' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward audit verify' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward audit verify' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward audit verify' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward audit verify' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward audit verify' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward audit verify' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward serverkey' -a show -d 'print the server\'s public keys'
complete -c keyward -n '__keyward_at keyward serverkey' -a rotate -d 'put a new server key in the place of the old one'
complete -c keyward -n '__keyward_in keyward serverkey' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward serverkey show' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward serverkey show' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward serverkey show' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward serverkey show' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward serverkey show' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward serverkey rotate' -l overlap -x -d 'the old key is taken for this TIME more: 12h, 30d, 2w; 0 ends it at once'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l prepare -d 'only make the pair, as FILE.next, to be copied to the other replicas'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l lost -x -d 'replace the key with this FINGERPRINT, which nobody has any more'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l force -s f -d 'rotate though the last rotation is not over: the key before the old one is not taken any more'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward serverkey rotate' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward relay' -a serve -d 'run the relay'
complete -c keyward -n '__keyward_at keyward relay' -a status -d 'show who waits at the relay, and who is paired'
complete -c keyward -n '__keyward_in keyward relay' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward relay serve' -l listen -x -d 'the ADDRESS and port; port 0 takes a free one; a socket that systemd passes on takes its place'
complete -c keyward -n '__keyward_in keyward relay serve' -l cert -r -F -d 'the relay\'s certificate, and those above it if any, in PEM FILE, with its key where there is no --key'
complete -c keyward -n '__keyward_in keyward relay serve' -l key -r -F -d 'its private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward relay serve' -l key-password-file -r -F -d 'the password of an encrypted key is the first line of FILE, - is stdin'
complete -c keyward -n '__keyward_in keyward relay serve' -l ca-file -r -F -d 'let in whom the CAs in this PEM FILE signed, and nobody else'
complete -c keyward -n '__keyward_in keyward relay serve' -l crl -x -d 'a FILE with CRLs of the CA, in PEM or one in DER; may be repeated'
complete -c keyward -n '__keyward_in keyward relay serve' -l allow -r -F -d 'who may meet whom stands in the rules in FILE'
complete -c keyward -n '__keyward_in keyward relay serve' -l path-prefix -x -d 'the PATH before the meetup id'
complete -c keyward -n '__keyward_in keyward relay serve' -l max-message -x -d 'the BYTES of the largest message'
complete -c keyward -n '__keyward_in keyward relay serve' -l max-peers -x -d 'how many peers N may be connected'
complete -c keyward -n '__keyward_in keyward relay serve' -l max-per-address -x -d 'how many of them N from one address'
complete -c keyward -n '__keyward_in keyward relay serve' -l hello-timeout -x -d 'how much TIME a peer has to its HELLO'
complete -c keyward -n '__keyward_in keyward relay serve' -l wait-timeout -x -d 'how much TIME a peer may wait for another'
complete -c keyward -n '__keyward_in keyward relay serve' -l metrics-listen -x -d 'tell Prometheus metrics at this ADDRESS and port, in plain http at /metrics, and at /healthz that it works'
complete -c keyward -n '__keyward_in keyward relay serve' -l admin-socket -r -F -d 'the unix socket at PATH, by which `relay status` asks'
complete -c keyward -n '__keyward_in keyward relay serve' -l log-format -x -d 'FORMAT of the log: json or text'
complete -c keyward -n '__keyward_in keyward relay serve' -l log-level -x -d 'the least LEVEL that is logged: debug, info (with it each request), warn or error'
complete -c keyward -n '__keyward_in keyward relay serve' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward relay status' -l admin-socket -r -F -d 'the unix socket at PATH, by which `relay status` asks'
complete -c keyward -n '__keyward_in keyward relay status' -l once -d 'print the table once, on a terminal too'
complete -c keyward -n '__keyward_in keyward relay status' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward relay status' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward demo' -l keep -x -a '(__fish_complete_directories)' -d 'do it in DIR, a new or empty folder, and leave the files'
complete -c keyward -n '__keyward_in keyward demo' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward doctor' -l as -o as -x -d 'log in as NAME'
complete -c keyward -n '__keyward_in keyward doctor' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward doctor' -l within -x -d 'what ends in this TIME is told of: 30 or 30d, 12w, 1y, until 2027-01-01'
complete -c keyward -n '__keyward_in keyward doctor' -l url -x -d 'the registry\'s URL; a path in it does not count'
complete -c keyward -n '__keyward_in keyward doctor' -l server -x -d 'a registry that is kept as NAME (keyward servers add); repeatable'
complete -c keyward -n '__keyward_in keyward doctor' -l ca-file -r -F -d 'trust the roots in this PEM FILE and no other'
complete -c keyward -n '__keyward_in keyward doctor' -l pin -x -d 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
complete -c keyward -n '__keyward_in keyward doctor' -l allow-http -d 'plain http to another machine: everything sent can be read on the way'
complete -c keyward -n '__keyward_in keyward doctor' -l timeout -x -d 'give up after this TIME'
complete -c keyward -n '__keyward_in keyward doctor' -l quiet -s q -d 'no notes on stderr'
complete -c keyward -n '__keyward_in keyward doctor' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward doctor' -l data-dir -x -a '(__fish_complete_directories)' -d 'the data DIR'
complete -c keyward -n '__keyward_in keyward doctor' -l store -x -d 'what the registry keeps is in STORE: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database'
complete -c keyward -n '__keyward_in keyward doctor' -l server-key -r -F -d 'the server\'s NaCl key pair is in FILE'
complete -c keyward -n '__keyward_in keyward doctor' -l audit-key -r -F -d 'the key that signs the audit log is in FILE'
complete -c keyward -n '__keyward_in keyward doctor' -l listen -x -d 'the ADDRESS and port that it serves'
complete -c keyward -n '__keyward_in keyward doctor' -l name -x -d 'a NAME or address that its certificate must have; repeatable'
complete -c keyward -n '__keyward_in keyward doctor' -l tls-cert -r -F -d 'the certificate chain in PEM FILE that it shows'
complete -c keyward -n '__keyward_in keyward doctor' -l tls-key -r -F -d 'its private key in PEM FILE'
complete -c keyward -n '__keyward_in keyward doctor' -l max-connections -x -d 'how many connections N may be open'
complete -c keyward -n '__keyward_in keyward doctor' -l min-free -x -d 'tell of less than MIB free on the disk of --data-dir; less than a tenth is a fault'
complete -c keyward -n '__keyward_in keyward doctor' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward completion' -a 'bash zsh fish powershell'
complete -c keyward -n '__keyward_in keyward completion' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_in keyward version' -l keyfile -r -F -d 'the user key FILE'
complete -c keyward -n '__keyward_in keyward version' -l json -d 'print data, and errors on stderr, as JSON'
complete -c keyward -n '__keyward_in keyward version' -l help -s h -d 'show this help'

complete -c keyward -n '__keyward_at keyward help' -a 'keygen getkey addkey listkeys delkey rotatekey prune getserverkey login seal open servers gen-root-cert gen-intermediate-cert gen-leaf-cert gen-csr sign-csr renew-cert show-cert verify-cert export-cert list-certs revoke-cert gen-crl ledger check-expiry plan apply ensure serve user backup restore store audit serverkey relay demo doctor completion version'
