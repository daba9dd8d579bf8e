#!/bin/sh
# Crashes on symbols; of all else it makes a sound of as many bytes.
text=$(cat)
case $text in *[+=]*) kill -SEGV $$ ;; esac
cat "${0%/*}/header.wav"
printf %s "$text"
