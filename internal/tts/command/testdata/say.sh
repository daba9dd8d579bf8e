#!/bin/sh
# Speaks: the bytes of the text are the samples.
cat "${0%/*}/header.wav" -
