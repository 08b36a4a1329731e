#!/bin/sh
# ask.sh URL: prints OK for each path of questions.txt that answers as it should, and fails at the first that does not.
set -eu
while read -r path expected; do
  answer=$(curl -fsS --max-time 5 "$1$path")
  case $answer in "$expected"*) echo "OK $path" ;; *) echo "NOT OK $path: $answer" >&2; exit 1 ;; esac
done < "$(dirname "$0")/../templates/questions.txt"
