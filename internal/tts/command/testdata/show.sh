#!/bin/sh
# Complains of its arguments and of its input.
for a; do printf '[%s]' "$a" >&2; done
cat >&2
exit 1
