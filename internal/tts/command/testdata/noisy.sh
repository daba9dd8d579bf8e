#!/bin/sh
# Writes 10 MB of complaints beside its speech; with an argument, fails in the end.
yes "a warning" | head -c 10000000 >&2
cat "${0%/*}/header.wav" -
if [ "$1" ]; then
	echo "no such model" >&2
	exit 3
fi
