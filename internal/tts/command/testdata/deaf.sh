#!/bin/sh
# Speaks without reading its input.
exec 0<&-
cat "${0%/*}/header.wav"
printf abcd
