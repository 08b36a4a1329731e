#!/bin/sh
# Lists the subjects of all commits since the tag given as first argument.
set -eu
git log --no-merges --format='- %s' "$1..HEAD"
