# The completion of keyward for PowerShell 5.1 and later, made by `make generate`.
# keyward completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName keyward, vovsecurity, gen-root-cert, gen-intermediate-cert, gen-leaf-cert -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # What can follow a command: its commands or the choices of its argument, and its flags.
    # --flag= takes a value, --flag=FILE a file, --flag=DIR a folder, --flag=a|b one of these.
    $tree = @{
        'keyward' = [ordered]@{
            'keygen' = 'make a NaCl key pair in the user key file'
            'getkey' = 'print the public key of the user key file'
            'addkey' = 'register a public key with one or more registries'
            'listkeys' = 'list the registered keys'
            'delkey' = 'delete a registered key'
            'getserverkey' = 'print the registry''s public key'
            'login' = 'get a token, by password or with the key'
            'servers' = 'keep registries under short names, for --server'
            'gen-root-cert' = 'make a root certificate and its key'
            'gen-intermediate-cert' = 'make an intermediate certificate and its key'
            'gen-leaf-cert' = 'make a leaf certificate and its key: for a server, a client or a peer'
            'gen-csr' = 'make a key and a certificate signing request for a CA elsewhere'
            'sign-csr' = 'sign somebody else''s request: the names that are allowed, no more'
            'renew-cert' = 'renew the certificates that end soon, each from itself alone'
            'show-cert' = 'show the certificates and CRLs in a file or of a server'
            'verify-cert' = 'tell whether certificates can be trusted, and if not, why'
            'export-cert' = 'write a certificate in the forms that other programs read'
            'list-certs' = 'list what a CA issued, and what has become of it'
            'revoke-cert' = 'revoke a certificate, and sign the list that says so'
            'gen-crl' = 'sign a list of the certificates that a CA revoked'
            'ledger' = 'check, import and export what a CA keeps of its certificates'
            'check-expiry' = 'tell which certificates end soon, roots included'
            'plan' = 'tell what apply would do for a manifest, and why'
            'apply' = 'make, renew and mend certificates as a manifest says'
            'ensure' = 'make, renew or leave one certificate, as it needs'
            'serve' = 'run the registry: HTTPS REST API v3 over an embedded database'
            'user' = 'add, list and delete the registry''s users, change passwords'
            'demo' = 'show the whole story in a temporary folder'
            'completion' = 'print the completion script of a shell'
            'version' = 'print the version; with --json the places in use too'
            'help' = 'show the help of a command'
            '--version' = 'print the version'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward keygen' = [ordered]@{
            '--keyfile=FILE' = 'the user key FILE'
            '--force' = 'replace the pair, and keep the old one as a dated backup'
            '-f' = 'replace the pair, and keep the old one as a dated backup'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward getkey' = [ordered]@{
            '--keyfile=FILE' = 'the user key FILE'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward addkey' = [ordered]@{
            '--kv=' = 'the public KEY'
            '--kd=' = 'its DESCRIPTION: one line'
            '-u=' = 'register it for user NAME (administrator)'
            '--user=' = 'register it for user NAME (administrator)'
            '--if-missing' = 'succeed where the key is there already'
            '--keyfile=FILE' = 'the user key FILE'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'a registry that servers add keeps as `NAME`; repeatable'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward listkeys' = [ordered]@{
            '-a' = 'the keys of all users (administrator)'
            '--all' = 'the keys of all users (administrator)'
            '-u=' = 'the keys of user NAME (administrator)'
            '--user=' = 'the keys of user NAME (administrator)'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward delkey' = [ordered]@{
            '--kv=' = 'the public KEY'
            '-u=' = 'delete a key of user NAME (administrator)'
            '--user=' = 'delete a key of user NAME (administrator)'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward getserverkey' = [ordered]@{
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward login' = [ordered]@{
            '--with-key' = 'log in with the user key file''s private key'
            '--revoke' = 'end the token in KEYWARD_TOKEN, else on stdin'
            '--keyfile=FILE' = 'the user key FILE'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward servers' = [ordered]@{
            'add' = 'keep a registry under a name'
            'list' = 'list the registries that are kept'
            'remove' = 'forget a registry'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward servers add' = [ordered]@{
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--as=' = 'log in there as NAME'
            '--force' = 'replace the registry of that name'
            '-f' = 'replace the registry of that name'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward servers list' = [ordered]@{
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward servers remove' = [ordered]@{
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward gen-root-cert' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--ledger=FILE' = 'its own ledger FILE, which notes what is signed; none keeps none'
            '--profile=peer|server|client|micronets' = 'what it is for'
            '--days=' = 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--expiration-in-days=' = 'the same in DAYS, as the Micronets scripts have it'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'its key'
            '--key-password-file=FILE' = 'encrypt the new key with the first line of FILE, - is stdin'
            '--encrypt-key' = 'encrypt the new key with a password that is asked for at the terminal'
            '--path-len=' = 'how many CAs may stand below it: N'
            '--permit-dns=' = 'it may sign for this DOMAIN and what is under it; repeatable'
            '--permit-ip=' = 'it may sign for the addresses in this CIDR; repeatable'
            '--dry-run' = 'check everything, say what would be written, and write nothing'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward gen-intermediate-cert' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--clamp' = 'end with the issuer where the lifetime would be longer'
            '--profile=peer|server|client|micronets' = 'what it is for'
            '--days=' = 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--expiration-in-days=' = 'the same in DAYS, as the Micronets scripts have it'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'its key'
            '--key-password-file=FILE' = 'encrypt the new key with the first line of FILE, - is stdin'
            '--encrypt-key' = 'encrypt the new key with a password that is asked for at the terminal'
            '--path-len=' = 'how many CAs may stand below it: N'
            '--permit-dns=' = 'it may sign for this DOMAIN and what is under it; repeatable'
            '--permit-ip=' = 'it may sign for the addresses in this CIDR; repeatable'
            '--dry-run' = 'check everything, say what would be written, and write nothing'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward gen-leaf-cert' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--clamp' = 'end with the issuer where the lifetime would be longer'
            '--profile=peer|server|client|micronets' = 'what it is for'
            '--days=' = 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--expiration-in-days=' = 'the same in DAYS, as the Micronets scripts have it'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'its key'
            '--key-password-file=FILE' = 'encrypt the new key with the first line of FILE, - is stdin'
            '--encrypt-key' = 'encrypt the new key with a password that is asked for at the terminal'
            '--san=' = 'a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable'
            '--pkeycert' = 'write certificate, intermediates and key in one file too'
            '--dry-run' = 'check everything, say what would be written, and write nothing'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward gen-csr' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--san=' = 'a NAME to ask for: DNS, IP, URI or e-mail, told apart by form; repeatable'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'its key'
            '--key=FILE' = 'ask with the private key in PEM FILE, and make none'
            '--key-password-file=FILE' = 'encrypt the new key with the first line of FILE, or open that of --key; - is stdin'
            '--encrypt-key' = 'encrypt the new key with a password that is asked for at the terminal'
            '--dry-run' = 'check everything, say what would be written, and write nothing'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward sign-csr' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--allow=' = 'sign names as this PATTERN says: a name, *.example.org (one label), .example.org (any), an IP or CIDR, an e-mail address or @example.org, a URI and what is below; repeatable'
            '--san=' = 'sign this NAME instead of those of the request; repeatable'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--clamp' = 'end with the issuer where the lifetime would be longer'
            '--profile=peer|server|client|micronets' = 'what it is for'
            '--days=' = 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--expiration-in-days=' = 'the same in DAYS, as the Micronets scripts have it'
            '--dry-run' = 'check everything, say what would be signed, and write nothing'
            '--yes' = 'sign all names of the request, without a question'
            '-y' = 'sign all names of the request, without a question'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward renew-cert' = [ordered]@{
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--clamp' = 'end with the issuer where the lifetime would be longer'
            '--within=' = 'renew what ends in this TIME: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired; the default counts where that is nearly the whole lifetime'
            '--now' = 'renew however long it has still to go'
            '--days=' = 'the new LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--rekey' = 'make a new key of the same type, encrypted as the old one was'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'with --rekey, a new key of this type'
            '--key=FILE' = 'the certificate''s private key in PEM FILE'
            '--key-password-file=FILE' = 'the password of an encrypted key is the first line of FILE, - is stdin'
            '--exec=' = 'run COMMAND by the shell after each renewal'
            '--exec-timeout=' = 'end the command after this TIME'
            '--dry-run' = 'say what would be renewed, and write and run nothing'
            '--force' = 'sign below another CA than the old one''s, renew what is revoked, or give a root a new key'
            '-f' = 'sign below another CA than the old one''s, renew what is revoked, or give a root a new key'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward show-cert' = [ordered]@{
            '--text' = 'print everything that is in each, as openssl does; of a CRL what is revoked'
            '--pem' = 'print the certificates and CRLs as PEM'
            '--password-file=FILE' = 'the password of PKCS#12 is the first line of FILE, - is stdin'
            '--timeout=' = 'give a server up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward verify-cert' = [ordered]@{
            '--ca-file=' = 'trust the roots in this PEM FILE and no other; may be repeated'
            '--untrusted=' = 'a FILE with intermediates; may be repeated'
            '--name=' = 'the certificate must be for this NAME: a DNS name, IP address, e-mail address or URI'
            '--for=' = 'it must be for this USE: server, client or any'
            '--at=' = 'verify for this TIME and not for now: 2027-01-31 or 2027-01-31T12:00:00Z'
            '--crl=' = 'a FILE with CRLs, in PEM or one in DER; may be repeated'
            '--crl-check-all' = 'each certificate of the chain must be covered by a CRL'
            '--strict' = 'hold the rules that verifiers let pass'
            '--password-file=FILE' = 'the password of PKCS#12 is the first line of FILE, - is stdin'
            '--timeout=' = 'give a server up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward export-cert' = [ordered]@{
            '--to=' = 'the FORMATS, with commas between them: fullchain, chain, pkeycert, pkcs12, pkcs12-legacy, truststore, der, k8s'
            '--key=FILE' = 'the certificate''s private key in PEM FILE'
            '--ca-key' = 'let a format hold the private key of a CA'
            '--key-password-file=FILE' = 'the password of an encrypted key is the first line of FILE, - is stdin'
            '--ca-certfile=' = 'the certificates of its issuers in PEM FILE; repeatable'
            '--cert-basename=FILE' = 'the files are B.fullchain.pem and so on'
            '--password-file=FILE' = 'the password to set on PKCS#12 is the first line of FILE, - is stdin'
            '--empty-password' = 'set the empty password on PKCS#12: who has the file has the key'
            '--namespace=' = 'the NAMESPACE of the Kubernetes Secret'
            '--out=' = '- writes one format to stdout, and no file'
            '-o=' = '- writes one format to stdout, and no file'
            '--dry-run' = 'check everything, say what would be written, and write nothing'
            '--force-overwrite' = 'replace the files that are there'
            '--force' = 'replace the files that are there'
            '-f' = 'replace the files that are there'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward list-certs' = [ordered]@{
            '--state=valid|revoked|expired|superseded' = 'only those that are ; repeatable'
            '--within=' = 'only those that end in this TIME and have not ended: 30 or 30d, 12w, 1y, until 2027-01-01'
            '--name=' = 'only those with a name, or a subject''s CN or O, like this GLOB'
            '--serial=' = 'only the one with this serial NUMBER in hex'
            '--since=' = 'only those issued since this DAY: 2026-11-22'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward revoke-cert' = [ordered]@{
            '--reason=unspecified|keyCompromise|caCompromise|affiliationChanged|superseded|cessationOfOperation|certificateHold|privilegeWithdrawn|aACompromise' = 'why, as RFC 5280 has it'
            '--release' = 'end a certificateHold'
            '--all' = 'all certificates of that name'
            '--same-key' = 'all certificates with its key besides, in the same list'
            '--if-missing' = 'succeed where it is revoked already; the list is written all the same'
            '--dry-run' = 'say what would be revoked, and write nothing'
            '--yes' = 'do not ask'
            '-y' = 'do not ask'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--days=' = 'the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01'
            '--out=FILE' = 'write the list to FILE, as DER if it ends in .der, else as PEM'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward gen-crl' = [ordered]@{
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--days=' = 'the next list is due in this TIME: 30 or 30d, 12w, 1y, or on 2027-01-01'
            '--out=FILE' = 'write the list to FILE, as DER if it ends in .der, else as PEM'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ledger' = [ordered]@{
            'verify' = 'check every line of a ledger'
            'head' = 'print the number and the hash of the last line'
            'import' = 'take over the index.txt of openssl ca or easy-rsa'
            'export' = 'print the ledger as another tool''s database'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ledger verify' = [ordered]@{
            '--ca-certfile=FILE' = 'the CA''s certificate in FILE'
            '--head=' = 'the HEAD that `keyward ledger head` printed: it must still be in the ledger'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ledger head' = [ordered]@{
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ledger import' = [ordered]@{
            '--certs=DIR' = 'the FOLDER with the certificates'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ledger export' = [ordered]@{
            '--format=' = 'openssl, which is all there is'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward check-expiry' = [ordered]@{
            '--within=' = 'what ends in this TIME is due: 30 or 30d, 12w, 1y, until 2027-01-01, or 0 for what has expired'
            '--chart' = 'print how many end in each of the next twelve months'
            '--prometheus' = 'print the ends as metrics in Prometheus''s text format'
            '--password-file=FILE' = 'the password of PKCS#12 is the first line of FILE, - is stdin'
            '--timeout=' = 'give a server up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward plan' = [ordered]@{
            '--all' = 'list what stays as it is too'
            '--schema' = 'print the manifest''s JSON schema, for editors'
            '--parallel=' = 'look at and make N certificates at a time'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward apply' = [ordered]@{
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--parallel=' = 'look at and make N certificates at a time'
            '--dry-run' = 'do as plan does: print what would be done, and write nothing'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward ensure' = [ordered]@{
            '--cert-basename=FILE' = 'the files are B.key.pem and so on'
            '--subject-org-name=' = 'the subject''s ORGANIZATION'
            '--ca-certfile=FILE' = 'the issuer''s certificate, and those above it if any, in PEM FILE'
            '--ca-keyfile=FILE' = 'the issuer''s private key in PEM FILE'
            '--ca-key-password-file=FILE' = 'the password of an encrypted CA key is the first line of FILE, - is stdin'
            '--ledger=FILE' = 'the issuer''s ledger FILE, which notes what is signed; none keeps none'
            '--clamp' = 'end with the issuer where the lifetime would be longer'
            '--profile=peer|server|client|micronets' = 'what it is for'
            '--days=' = 'the LIFETIME: 90 or 90d, 12w, 1y, or the last day 2027-01-01'
            '--expiration-in-days=' = 'the same in DAYS, as the Micronets scripts have it'
            '--key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096' = 'its key'
            '--san=' = 'a NAME it can be checked by: DNS, IP, URI or e-mail, told apart by form; repeatable'
            '--renew-within=' = 'renew what ends in this TIME: 30 or 30d, 12w, 1y'
            '--rekey' = 'make a new key at each renewal'
            '--output=fullchain|chain|pkeycert|pkcs12|pkcs12-legacy|truststore|der|k8s' = 'a file to make besides; repeatable'
            '--key-password-file=FILE' = 'encrypt the key, and PKCS#12, with the first line of FILE, - is stdin'
            '--dry-run' = 'say what would be done, and write nothing'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward serve' = [ordered]@{
            '--listen=' = 'the ADDRESS and port; port 0 takes a free one'
            '--data-dir=DIR' = 'the data DIR'
            '--name=' = 'a NAME or address for the server''s certificate beside localhost and loopback, repeatable; other names make a new certificate for the same key'
            '--tls-cert=FILE' = 'a certificate chain in PEM FILE, in place of the registry''s own'
            '--tls-key=FILE' = 'its private key in PEM FILE'
            '--tls-key-password-file=FILE' = 'the password of an encrypted --tls-key is the first line of FILE, - is stdin'
            '--admin-password-file=FILE' = 'at the first start, the first line of FILE is the admin''s password; - is stdin'
            '--project=' = 'the project NAME that the API tells'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward user' = [ordered]@{
            'add' = 'add a user'
            'list' = 'list the users'
            'passwd' = 'change a user''s password'
            'delete' = 'delete a user with all keys'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward user add' = [ordered]@{
            '--new-password-file=FILE' = 'the new password is the first line of FILE, - is stdin (after the caller''s own); else asked for'
            '--admin' = 'make the user an administrator'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward user list' = [ordered]@{
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward user passwd' = [ordered]@{
            '--new-password-file=FILE' = 'the new password is the first line of FILE, - is stdin (after the caller''s own); else asked for'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward user delete' = [ordered]@{
            '--yes' = 'do not ask'
            '-y' = 'do not ask'
            '--as=' = 'log in as NAME'
            '--password-file=FILE' = 'the password is the first line of FILE, - is stdin; else VOV_PASSWORD, else asked for'
            '--url=' = 'the registry''s URL; a path in it does not count'
            '--server=' = 'the registry that servers add keeps as `NAME`'
            '--ca-file=FILE' = 'trust the roots in this PEM FILE and no other'
            '--pin=' = 'trust this public key of the server alone: sha256:HEX of its SubjectPublicKeyInfo'
            '--allow-http' = 'plain http to another machine: everything sent can be read on the way'
            '--timeout=' = 'give up after this TIME'
            '--quiet' = 'no notes on stderr'
            '-q' = 'no notes on stderr'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward demo' = [ordered]@{
            '--keep=DIR' = 'do it in DIR, a new or empty folder, and leave the files'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward completion' = [ordered]@{
            'bash' = 'bash'
            'zsh' = 'zsh'
            'fish' = 'fish'
            'powershell' = 'powershell'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward version' = [ordered]@{
            '--keyfile=FILE' = 'the user key FILE'
            '--json' = 'print data, and errors on stderr, as JSON'
            '--help' = 'show this help'
            '-h' = 'show this help'
        }
        'keyward help' = [ordered]@{
            'keygen' = 'keygen'
            'getkey' = 'getkey'
            'addkey' = 'addkey'
            'listkeys' = 'listkeys'
            'delkey' = 'delkey'
            'getserverkey' = 'getserverkey'
            'login' = 'login'
            'servers' = 'servers'
            'gen-root-cert' = 'gen-root-cert'
            'gen-intermediate-cert' = 'gen-intermediate-cert'
            'gen-leaf-cert' = 'gen-leaf-cert'
            'gen-csr' = 'gen-csr'
            'sign-csr' = 'sign-csr'
            'renew-cert' = 'renew-cert'
            'show-cert' = 'show-cert'
            'verify-cert' = 'verify-cert'
            'export-cert' = 'export-cert'
            'list-certs' = 'list-certs'
            'revoke-cert' = 'revoke-cert'
            'gen-crl' = 'gen-crl'
            'ledger' = 'ledger'
            'check-expiry' = 'check-expiry'
            'plan' = 'plan'
            'apply' = 'apply'
            'ensure' = 'ensure'
            'serve' = 'serve'
            'user' = 'user'
            'demo' = 'demo'
            'completion' = 'completion'
            'version' = 'version'
        }
    }

    # A link named like one of the scripts is that command.
    $name = [IO.Path]::GetFileNameWithoutExtension($commandAst.GetCommandName())
    $path = 'keyward'
    if ($name -like 'gen-*') { $path = "keyward $name" }
    $previous = ''
    $behind = $true
    foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $cursorPosition) { break }
        $previous = $element.Extent.Text
        if ($previous -ceq '--') { return }
        $behind = $tree.ContainsKey("$path $previous")
        if ($behind) { $path = "$path $previous" }
    }

    # A flag's value, as --flag value or --flag=value. Where nothing is offered PowerShell offers files.
    $typed = $wordToComplete
    $glued = ''
    if ($wordToComplete -match '^(-[^=]+)=(.*)$') {
        $previous = $Matches[1]
        $typed = $Matches[2]
        $glued = "$previous="
    }
    if ($previous.StartsWith('-')) {
        foreach ($word in $tree[$path].Keys) {
            $flag, $kind = $word -split '=', 2
            if ($null -eq $kind -or $flag.TrimStart('-') -cne $previous.TrimStart('-')) { continue }
            if ($kind.Contains('|')) {
                $kind -split '\|' | Where-Object { $_.StartsWith($typed) } | ForEach-Object {
                    [System.Management.Automation.CompletionResult]::new("$glued$_", $_, 'ParameterValue', $tree[$path][$word])
                }
            }
            return
        }
    }
    if ($glued) { return }

    # Commands and choices stand right behind the command, flags anywhere. Long flags may have one dash.
    foreach ($word in $tree[$path].Keys) {
        $flag = ($word -split '=', 2)[0]
        if ($flag.StartsWith('-')) {
            if ($wordToComplete -match '^-[^-]' -and $flag.StartsWith('--')) { $flag = $flag.Substring(1) }
        } elseif (-not $behind) { continue }
        if ($flag.StartsWith($wordToComplete)) {
            [System.Management.Automation.CompletionResult]::new($flag, $flag, 'ParameterName', $tree[$path][$word])
        }
    }
}
