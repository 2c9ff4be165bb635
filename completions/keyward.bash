# The completion of keyward for bash 3.2 and later, made by `make generate`.
# source <(keyward completion bash)

# Sets words to what can follow a command: its commands or the choices of its argument, and
# its flags. --flag= takes a value, --flag=FILE a file, --flag=DIR a folder, --flag=a|b one of these.
_keyward_words() {
    case $1 in
    "keyward")
        words="
            keygen getkey addkey listkeys delkey rotatekey prune getserverkey
            login seal open servers gen-root-cert gen-intermediate-cert
            gen-leaf-cert gen-csr sign-csr renew-cert show-cert verify-cert
            export-cert list-certs revoke-cert gen-crl ledger check-expiry plan
            apply ensure serve user backup restore store audit serverkey relay
            keyexchange bus demo doctor completion version help --version --help
            -h" ;;
    "keyward keygen")
        words="
            --keyfile=FILE --force -f --quiet -q --json --help -h" ;;
    "keyward getkey")
        words="
            -u= --user= --trust-new --keyfile=FILE --as= --password-file=FILE
            --url= --server= --ca-file=FILE --pin= --allow-http --timeout=
            --quiet -q --json --help -h" ;;
    "keyward addkey")
        words="
            --kv= --kd= --expires= --label= -u= --user= --if-missing
            --keyfile=FILE --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward listkeys")
        words="
            -a --all -u= --user= --long -l --stale= --expired --as=
            --password-file=FILE --url= --server= --ca-file=FILE --pin=
            --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward delkey")
        words="
            --kv= --fingerprint= --kd= -u= --user= --as= --password-file=FILE
            --url= --server= --ca-file=FILE --pin= --allow-http --timeout=
            --quiet -q --json --help -h" ;;
    "keyward rotatekey")
        words="
            --overlap= --expires= --dry-run --keyfile=FILE --as=
            --password-file=FILE --url= --server= --ca-file=FILE --pin=
            --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward prune")
        words="
            --older-than= --dry-run --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward getserverkey")
        words="
            --url= --server= --ca-file=FILE --pin= --allow-http --timeout=
            --quiet -q --json --help -h" ;;
    "keyward login")
        words="
            --with-key --revoke --keyfile=FILE --as= --password-file=FILE --url=
            --server= --ca-file=FILE --pin= --allow-http --timeout= --quiet -q
            --json --help -h" ;;
    "keyward seal")
        words="
            -u= --user= --output=FILE -o=FILE --offline --force -f
            --keyfile=FILE --as= --url= --server= --ca-file=FILE --pin=
            --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward open")
        words="
            --from= --output=FILE -o=FILE --offline --force -f --keyfile=FILE
            --as= --url= --server= --ca-file=FILE --pin= --allow-http --timeout=
            --quiet -q --json --help -h" ;;
    "keyward servers")
        words="
            add list remove --help -h" ;;
    "keyward servers add")
        words="
            --url= --ca-file=FILE --pin= --as= --force -f --quiet -q --json
            --help -h" ;;
    "keyward servers list")
        words="
            --quiet -q --json --help -h" ;;
    "keyward servers remove")
        words="
            --quiet -q --json --help -h" ;;
    "keyward gen-root-cert")
        words="
            --cert-basename=FILE --subject-org-name= --ledger=FILE
            --profile=peer|server|client|micronets --days= --expiration-in-days=
            --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096
            --key-password-file=FILE --encrypt-key --path-len= --permit-dns=
            --permit-ip= --dry-run --force-overwrite --force -f --quiet -q
            --json --help -h" ;;
    "keyward gen-intermediate-cert")
        words="
            --cert-basename=FILE --subject-org-name= --ca-certfile=FILE
            --ca-keyfile=FILE --ca-key-password-file=FILE --ledger=FILE --clamp
            --profile=peer|server|client|micronets --days= --expiration-in-days=
            --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096
            --key-password-file=FILE --encrypt-key --path-len= --permit-dns=
            --permit-ip= --dry-run --force-overwrite --force -f --quiet -q
            --json --help -h" ;;
    "keyward gen-leaf-cert")
        words="
            --cert-basename=FILE --subject-org-name= --ca-certfile=FILE
            --ca-keyfile=FILE --ca-key-password-file=FILE --ledger=FILE --clamp
            --profile=peer|server|client|micronets --days= --expiration-in-days=
            --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096
            --key-password-file=FILE --encrypt-key --account= --trust-domain=
            --san= --pkeycert --dry-run --force-overwrite --force -f --quiet -q
            --json --help -h" ;;
    "keyward gen-csr")
        words="
            --account= --trust-domain= --cert-basename=FILE --subject-org-name=
            --san= --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096
            --key=FILE --key-password-file=FILE --encrypt-key --dry-run
            --force-overwrite --force -f --quiet -q --json --help -h" ;;
    "keyward sign-csr")
        words="
            --cert-basename=FILE --subject-org-name= --allow= --san= --account=
            --trust-domain= --ca-certfile=FILE --ca-keyfile=FILE
            --ca-key-password-file=FILE --ledger=FILE --clamp
            --profile=peer|server|client|micronets --days= --expiration-in-days=
            --dry-run --yes -y --force-overwrite --force -f --quiet -q --json
            --help -h" ;;
    "keyward renew-cert")
        words="
            --ca-certfile=FILE --ca-keyfile=FILE --ca-key-password-file=FILE
            --ledger=FILE --clamp --within= --now --days= --rekey
            --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096 --key=FILE
            --key-password-file=FILE --exec= --exec-timeout= --dry-run --force
            -f --quiet -q --json --help -h" ;;
    "keyward show-cert")
        words="
            --text --pem --password-file=FILE --timeout= --quiet -q --json
            --help -h" ;;
    "keyward verify-cert")
        words="
            --ca-file= --untrusted= --name= --for= --at= --crl= --crl-check-all
            --strict --password-file=FILE --timeout= --quiet -q --json --help -h" ;;
    "keyward export-cert")
        words="
            --to= --key=FILE --ca-key --key-password-file=FILE --ca-certfile=
            --cert-basename=FILE --password-file=FILE --empty-password
            --namespace= --out= -o= --dry-run --force-overwrite --force -f
            --quiet -q --json --help -h" ;;
    "keyward list-certs")
        words="
            --state=valid|revoked|expired|superseded --within= --name= --serial=
            --since= --quiet -q --json --help -h" ;;
    "keyward revoke-cert")
        words="
            --reason=unspecified|keyCompromise|caCompromise|affiliationChanged|superseded|cessationOfOperation|certificateHold|privilegeWithdrawn|aACompromise
            --release --all --same-key --if-missing --dry-run --yes -y
            --ca-certfile=FILE --ca-keyfile=FILE --ca-key-password-file=FILE
            --ledger=FILE --days= --out=FILE --quiet -q --json --help -h" ;;
    "keyward gen-crl")
        words="
            --ca-certfile=FILE --ca-keyfile=FILE --ca-key-password-file=FILE
            --ledger=FILE --days= --out=FILE --quiet -q --json --help -h" ;;
    "keyward ledger")
        words="
            verify head import export --help -h" ;;
    "keyward ledger verify")
        words="
            --ca-certfile=FILE --head= --quiet -q --json --help -h" ;;
    "keyward ledger head")
        words="
            --quiet -q --json --help -h" ;;
    "keyward ledger import")
        words="
            --certs=DIR --ca-certfile=FILE --ca-keyfile=FILE
            --ca-key-password-file=FILE --ledger=FILE --quiet -q --json --help
            -h" ;;
    "keyward ledger export")
        words="
            --format= --quiet -q --help -h" ;;
    "keyward check-expiry")
        words="
            --within= --chart --prometheus --password-file=FILE --timeout=
            --quiet -q --json --help -h" ;;
    "keyward plan")
        words="
            --all --schema --parallel= --quiet -q --json --help -h" ;;
    "keyward apply")
        words="
            --ca-key-password-file=FILE --parallel= --dry-run --quiet -q --json
            --help -h" ;;
    "keyward ensure")
        words="
            --cert-basename=FILE --subject-org-name= --ca-certfile=FILE
            --ca-keyfile=FILE --ca-key-password-file=FILE --ledger=FILE --clamp
            --profile=peer|server|client|micronets --days= --expiration-in-days=
            --key-type=p256|p384|ed25519|rsa2048|rsa3072|rsa4096 --san=
            --renew-within= --rekey
            --output=fullchain|chain|pkeycert|pkcs12|pkcs12-legacy|truststore|der|k8s
            --key-password-file=FILE --dry-run --quiet -q --json --help -h" ;;
    "keyward serve")
        words="
            --listen= --data-dir=DIR --store= --server-key=FILE --audit-key=FILE
            --name= --tls-cert=FILE --tls-key=FILE --tls-key-password-file=FILE
            --admin-password-file=FILE --project= --max-connections=
            --metrics-listen= --log-format= --log-level= --help -h" ;;
    "keyward user")
        words="
            add list passwd delete --help -h" ;;
    "keyward user add")
        words="
            --new-password-file=FILE --admin --as= --password-file=FILE --url=
            --server= --ca-file=FILE --pin= --allow-http --timeout= --quiet -q
            --json --help -h" ;;
    "keyward user list")
        words="
            --as= --password-file=FILE --url= --server= --ca-file=FILE --pin=
            --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward user passwd")
        words="
            --new-password-file=FILE --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward user delete")
        words="
            --yes -y --as= --password-file=FILE --url= --server= --ca-file=FILE
            --pin= --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward backup")
        words="
            --store= --data-dir=DIR --server-key=FILE --audit-key=FILE
            --with-keys --force -f --quiet -q --json --help -h" ;;
    "keyward restore")
        words="
            --store= --data-dir=DIR --server-key=FILE --audit-key=FILE --replace
            --with-keys --force -f --quiet -q --json --help -h" ;;
    "keyward store")
        words="
            copy show --help -h" ;;
    "keyward store copy")
        words="
            --from= --to= --data-dir=DIR --audit-key=FILE --replace --quiet -q
            --json --help -h" ;;
    "keyward store show")
        words="
            --store= --data-dir=DIR --quiet -q --json --help -h" ;;
    "keyward audit")
        words="
            list verify --help -h" ;;
    "keyward audit list")
        words="
            --after= --since= --user= -u= --what= --as= --password-file=FILE
            --url= --server= --ca-file=FILE --pin= --allow-http --timeout=
            --quiet -q --json --help -h" ;;
    "keyward audit verify")
        words="
            --audit-key= --head= --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward serverkey")
        words="
            show rotate --help -h" ;;
    "keyward serverkey show")
        words="
            --data-dir=DIR --server-key=FILE --quiet -q --json --help -h" ;;
    "keyward serverkey rotate")
        words="
            --overlap= --prepare --lost= --force -f --data-dir=DIR
            --server-key=FILE --quiet -q --json --help -h" ;;
    "keyward relay")
        words="
            serve status connect --help -h" ;;
    "keyward relay serve")
        words="
            --listen= --cert=FILE --key=FILE --key-password-file=FILE
            --ca-file=FILE --crl= --allow=FILE --path-prefix= --max-message=
            --max-peers= --max-per-address= --max-per-peer= --hello-timeout=
            --wait-timeout= --metrics-listen= --admin-socket=FILE --log-format=
            --log-level= --help -h" ;;
    "keyward relay status")
        words="
            --admin-socket=FILE --once --json --help -h" ;;
    "keyward relay connect")
        words="
            --client-cert=FILE --cc=FILE --client-key=FILE
            --client-key-password-file=FILE --ca-file=FILE --ca-cert=FILE
            --ca=FILE --server-name= --http-proxy= --http-proxy-address= -a=
            --http-proxy-port= -p= --http-proxy-name= --forward= --allow-http
            --event= --event-type= --peer-class= --peer-id= --timeout=
            --max-message= --once --quiet -q --json --help -h" ;;
    "keyward keyexchange")
        words="
            serve rotate publish fetch subscribe --help -h" ;;
    "keyward keyexchange serve")
        words="
            --listen= --auth-address= --auth-port= --cert=FILE
            --certificate=FILE --key=FILE --keyfile=FILE
            --key-password-file=FILE --exchange-keys=FILE
            --exchange-keys-password-file=FILE --client-ca=FILE --crl=
            --require-client-cert --allow=FILE --max-clients= --max-per-address=
            --step-timeout= --idle-timeout= --metrics-listen= --log-format=
            --log-level= --help -h" ;;
    "keyward keyexchange rotate")
        words="
            --exchange-keys=FILE --exchange-keys-password-file=FILE --in=
            --overlap= --quiet -q --json --help -h" ;;
    "keyward keyexchange publish")
        words="
            --transport= --listen= --connect= --wait-subscribers=
            --wait-timeout= --max-message= --subject= --nats-ca-file=FILE
            --nats-client-cert=FILE --nats-client-key=FILE
            --nats-client-key-password-file=FILE --nats-creds=FILE
            --allow-plain-nats --exchange-keys=FILE
            --exchange-keys-password-file=FILE --no-security --quiet -q --json
            --help -h" ;;
    "keyward keyexchange fetch")
        words="
            --cert=FILE --certificate=FILE --server-name= --client-cert=FILE
            --client-key=FILE --client-key-password-file=FILE --out=FILE -o=FILE
            --watch --force -f --quiet -q --json --help -h" ;;
    "keyward keyexchange subscribe")
        words="
            --transport= --connect= --max-message= --subject=
            --nats-ca-file=FILE --nats-client-cert=FILE --nats-client-key=FILE
            --nats-client-key-password-file=FILE --nats-creds=FILE
            --allow-plain-nats --auth= --cert=FILE --certificate=FILE
            --server-name= --client-cert=FILE --client-key=FILE
            --client-key-password-file=FILE --exchange-keys=FILE
            --exchange-keys-password-file=FILE --no-security --quiet -q --json
            --help -h" ;;
    "keyward bus")
        words="
            account config authorize emit consume request serve-echo --help -h" ;;
    "keyward bus account")
        words="
            add list show update revoke --help -h" ;;
    "keyward bus account add")
        words="
            --trust-domain= --identity= --emitter= --consumer= --worker=
            --service= --stock-replies --publish= --subscribe= --file=FILE
            --if-missing --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward bus account list")
        words="
            --as= --password-file=FILE --url= --server= --ca-file=FILE --pin=
            --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward bus account show")
        words="
            --explain= --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward bus account update")
        words="
            --trust-domain= --identity= --emitter= --consumer= --worker=
            --service= --stock-replies --publish= --subscribe= --remove=
            --file=FILE --as= --password-file=FILE --url= --server=
            --ca-file=FILE --pin= --allow-http --timeout= --quiet -q --json
            --help -h" ;;
    "keyward bus account revoke")
        words="
            --yes -y --as= --password-file=FILE --url= --server= --ca-file=FILE
            --pin= --allow-http --timeout= --quiet -q --json --help -h" ;;
    "keyward bus config")
        words="
            --bus-keys=FILE --cert=FILE --key=FILE --client-ca=FILE --listen=
            --name= --cluster= --cluster-listen= --route= --quiet -q --json
            --help -h" ;;
    "keyward bus authorize")
        words="
            --connect= --ca-file=FILE --cert=FILE --key=FILE
            --key-password-file=FILE --bus-keys=FILE --trust-domain=
            --client-ca=FILE --crl= --max-per-account= --metrics-listen=
            --store= --data-dir=DIR --log-format= --log-level= --help -h" ;;
    "keyward bus emit")
        words="
            --emitter= --data= --timeout= --connect= --client-cert=FILE
            --client-key=FILE --client-key-password-file=FILE --ca-file=FILE
            --quiet -q --json --help -h" ;;
    "keyward bus consume")
        words="
            --consumer= --worker= --subject= --count= --connect=
            --client-cert=FILE --client-key=FILE --client-key-password-file=FILE
            --ca-file=FILE --quiet -q --json --help -h" ;;
    "keyward bus request")
        words="
            --ask= --emitter= --subject= --data= --timeout= --connect=
            --client-cert=FILE --client-key=FILE --client-key-password-file=FILE
            --ca-file=FILE --quiet -q --json --help -h" ;;
    "keyward bus serve-echo")
        words="
            --service= --worker= --subject= --connect= --client-cert=FILE
            --client-key=FILE --client-key-password-file=FILE --ca-file=FILE
            --quiet -q --json --help -h" ;;
    "keyward demo")
        words="
            --keep=DIR --help -h" ;;
    "keyward doctor")
        words="
            --as= --keyfile=FILE --within= --url= --server= --ca-file=FILE
            --pin= --allow-http --timeout= --quiet -q --json --data-dir=DIR
            --store= --server-key=FILE --audit-key=FILE --listen= --name=
            --tls-cert=FILE --tls-key=FILE --max-connections= --min-free= --help
            -h" ;;
    "keyward completion")
        words="
            bash zsh fish powershell --help -h" ;;
    "keyward version")
        words="
            --keyfile=FILE --json --help -h" ;;
    "keyward help")
        words="
            keygen getkey addkey listkeys delkey rotatekey prune getserverkey
            login seal open servers gen-root-cert gen-intermediate-cert
            gen-leaf-cert gen-csr sign-csr renew-cert show-cert verify-cert
            export-cert list-certs revoke-cert gen-crl ledger check-expiry plan
            apply ensure serve user backup restore store audit serverkey relay
            keyexchange bus demo doctor completion version" ;;
    *) return 1 ;;
    esac
}

_keyward() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} name=${1##*/}
    local path=keyward at=0 glued='' offer='' words word i IFS=$' \t\n'
    COMPREPLY=()

    # A link named like one of the scripts is that command.
    [[ ${name%.exe} == websocket-test-client ]] && path+=" relay connect"
    [[ $name == gen-* ]] && path+=" ${name%.exe}"
    _keyward_words "$path" || return
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $word == -- ]] && return
        _keyward_words "$path $word" && path+=" $word" at=$i
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
            "-$prev="* | "--$prev="*) _keyward_value "${word#*=}"; return ;;
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

# Completes a flag's value, by what _keyward_words has behind the =.
_keyward_value() {
    case $1 in
    "") ;;
    FILE) compopt -o default 2>/dev/null || _keyward_lines compgen -f -- "$cur" ;;
    DIR) compopt -o dirnames 2>/dev/null || _keyward_lines compgen -d -- "$cur" ;;
    *) COMPREPLY=($(compgen -W "${1//|/ }" -- "$cur")) ;;
    esac
}

# Takes a command's output, for a bash that has no compopt.
_keyward_lines() {
    local line
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <("$@")
}

complete -F _keyward keyward vovsecurity gen-root-cert gen-intermediate-cert gen-leaf-cert websocket-test-client
