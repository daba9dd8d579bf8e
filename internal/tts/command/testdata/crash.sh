#!/bin/sh
# Crashes in the middle of its speech.
cat "${0%/*}/header.wav"
kill -SEGV $$
