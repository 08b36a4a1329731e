#!/usr/bin/env bash
# A real OpenStack Swift with its S3 API on loopback: start_swift.sh DIR PROGRAMS PORT
# PROGRAMS is the bin folder of an environment with requirements/swift.txt. It listens on PORT and the three after it;
# process ids are in DIR/pids. S3 user test:tester, key testing.
set -euo pipefail
folder=$(realpath -m "$1") programs=$(realpath -m "$2") port=$3
mkdir -p "$folder"/{etc,dev/d1,run}
cd "$folder/etc"
export SWIFT_DIR=$folder/etc

cat > swift.conf <<CONF
[swift-hash]
swift_hash_path_suffix = mmpm
[storage-policy:0]
name = p0
default = yes
CONF

number=1
for kind in account container object; do
  own=$((port + number)) number=$((number + 1))
  "$programs/swift-ring-builder" $kind.builder create 4 1 0 > /dev/null
  "$programs/swift-ring-builder" $kind.builder add "r1z1-127.0.0.1:$own/d1" 1 > /dev/null
  "$programs/swift-ring-builder" $kind.builder rebalance > /dev/null
  cat > $kind.conf <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $own
workers = 0
user = $(id -un)
swift_dir = $folder/etc
devices = $folder/dev
mount_check = false
log_level = WARNING
[pipeline:main]
pipeline = $kind-server
[app:$kind-server]
use = egg:swift#$kind
fallocate_reserve = 0
CONF
done

cat > proxy.conf <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
workers = 0
user = $(id -un)
swift_dir = $folder/etc
log_level = WARNING
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
# However busy the machine is: who answers late is not left out.
conn_timeout = 300
node_timeout = 300
recoverable_node_timeout = 300
error_suppression_limit = 1000000
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
check_bucket_owner = false
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
CONF

: > "$folder/pids"
for kind in account container object proxy; do
  "$programs/swift-$kind-server" "$folder/etc/$kind.conf" > "$folder/run/$kind.log" 2>&1 < /dev/null &
  echo $! >> "$folder/pids"
done
# All of them: a proxy that once found the others away does not ask them again for a minute.
for own in $((port + 1)) $((port + 2)) $((port + 3)) "$port"; do
  for _ in $(seq 6000); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$own") 2> /dev/null; then continue 2; fi
    sleep 0.1
  done
  cat "$folder"/run/*.log >&2
  exit 1
done
