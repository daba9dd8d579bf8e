#!/bin/sh
# Speaks without an end.
exec cat "${0%/*}/header.wav" /dev/zero
