#!/bin/sh
# Complains with its arguments and its standard input.
printf "[%s] [%s]" "$*" "$(cat)" >&2
exit 3
