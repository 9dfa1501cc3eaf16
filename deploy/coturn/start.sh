#!/bin/sh
# Writes coturn's configuration from the environment and starts it; further options are handed on.
#   MEDIA_ADDRESS     where people reach the relays, as MEDIA_RELAY_ADVERTISE has it: coturn may go nowhere else
#   TURN_SECRET_FILE  the secret that the gateway has as GATEWAY_TURN_SECRET_FILE
#   TURN_TLS_FOLDER   cert.pem and key.pem in it turn TLS on
#   TURN_PORT, TURN_TLS_PORT, TURN_STATE  3478, 5349, /tmp
set -eu
umask 077

refuse() {
  echo "coturn: $1" >&2
  exit 1
}

folder=${TURN_STATE:-/tmp}
mkdir -p "$folder"
certificate=${TURN_TLS_FOLDER:-/run/turn-tls}
secret=$(cat "${TURN_SECRET_FILE:?the file with the secret shared with the gateway}")
[ "${#secret}" -ge 16 ] || refuse "the secret in $TURN_SECRET_FILE needs at least 16 characters"

# One address a line, without the port: 203.0.113.7, 203.0.113.7:8082, [2001:db8::7]:8082, 2001:db8::7 or a name.
peers=$(echo "${MEDIA_ADDRESS:?the address at which people reach the relays}" | tr ',' '\n' | tr -d ' ' |
  sed -e '/^$/d' -e 's/^\[\(.*\)\].*$/\1/' -e 's/^\([^:]*\):[0-9]*$/\1/' -e 's/^/allowed-peer-ip=/')
[ -n "$peers" ] || refuse "MEDIA_ADDRESS=$MEDIA_ADDRESS names no address"

if [ -r "$certificate/cert.pem" ] && [ -r "$certificate/key.pem" ]; then
  tls="tls-listening-port=${TURN_TLS_PORT:-5349}
cert=$certificate/cert.pem
pkey=$certificate/key.pem"
else
  echo "coturn: no cert.pem and key.pem to read in $certificate: there will be no TLS" >&2
  tls=no-tls
fi

cat >"$folder/turnserver.conf" <<EOF
listening-port=${TURN_PORT:-3478}
$tls
realm=majlis
use-auth-secret
static-auth-secret=$secret
# It carries packets to the relays and to nobody else, so it is no way into the network around it.
denied-peer-ip=0.0.0.0-255.255.255.255
denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
$peers
no-multicast-peers
no-tcp-relay
total-quota=${TURN_QUOTA:-8000}
userdb=$folder/turndb
pidfile=$folder/turnserver.pid
log-file=stdout
EOF
exec turnserver -c "$folder/turnserver.conf" "$@"
