#!/bin/sh
# Speaks for ever.
cat "${0%/*}/header.wav" /dev/zero
