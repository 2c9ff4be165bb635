#!/bin/bash
# What the Micronets script gen-leaf-cert asks of OpenSSL, process for process; written
# from a description of it.
#
#	micronets.sh BASENAME CA-CERTFILE CA-KEYFILE
set -e
base=$1 cacert=$2 cakey=$3

openssl ecparam -name prime256v1 >"$base.params"
openssl ecparam -genkey -noout -in "$base.params" -out "$base.key.pem"
chmod 600 "$base.key.pem"
openssl req -new -key "$base.key.pem" -subj "/O=bench-Leaf" -out "$base.csr"
cat >"$base.ext" <<EOF
basicConstraints = critical,CA:FALSE
authorityKeyIdentifier = keyid
keyUsage = critical,digitalSignature,keyEncipherment,keyAgreement
EOF
openssl x509 -req -sha256 -days 90 -in "$base.csr" -CA "$cacert" -CAkey "$cakey" \
	-CAserial "$base.srl" -CAcreateserial -extfile "$base.ext" -out "$base.cert.pem"
openssl x509 -in "$base.cert.pem" -outform der -out "$base.cert.der"
openssl x509 -in "$base.cert.pem" -noout -text
