#!/bin/sh
# Starts Mosquitto on the folder that `espalier broker mosquitto-config` made, and has it read its lists again when
# the server has rewritten them: a signal does not cross from the server's container to this one.
folder=/data/mosquitto
mosquitto -c "$folder/mosquitto.conf" &
broker=$!
trap 'kill "$broker"' TERM INT
before=$(cat "$folder/access" "$folder/revoked.pem" | sha256sum)
while kill -0 "$broker" 2>/dev/null; do
  sleep 2 &
  wait $!
  now=$(cat "$folder/access" "$folder/revoked.pem" | sha256sum)
  [ "$now" = "$before" ] || kill -HUP "$broker"
  before=$now
done
